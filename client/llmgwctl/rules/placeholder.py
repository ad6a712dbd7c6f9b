"""What stands for the gateway's key where llmgwd itself puts the key in."""

# Programs only ask that there be a key; LiteLLM never gives one out that looks like this.
PLACEHOLDER = "llmgw"
