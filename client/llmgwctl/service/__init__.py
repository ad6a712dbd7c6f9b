"""Has llmgwd run from login on, by whatever manager this machine has."""
