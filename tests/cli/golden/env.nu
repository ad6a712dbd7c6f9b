$env.ANTHROPIC_BASE_URL = "http://localhost:4000"
$env.ANTHROPIC_AUTH_TOKEN = "sk-it's \"$HOME\" `x` \\ tab\tend"
$env.OPENAI_BASE_URL = "http://localhost:4000/v1"
$env.OPENAI_API_BASE = "http://localhost:4000/v1"
$env.OPENAI_API_KEY = "sk-it's \"$HOME\" `x` \\ tab\tend"
$env.AVANTE_OPENAI_API_KEY = "sk-it's \"$HOME\" `x` \\ tab\tend"
# avante.nvim reads its address from lua only; in its setup:
#   provider = "openai",
#   providers = {
#     openai = {
#       endpoint = "http://localhost:4000/v1",
#       model = "MODEL",
#       api_key_name = "cmd:llmgwctl key",
#     },
#   },
# llmgwctl env --shell json | from json | load-env
