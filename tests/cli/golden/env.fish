set -gx ANTHROPIC_BASE_URL 'http://localhost:4000'
set -gx ANTHROPIC_AUTH_TOKEN 'sk-it\'s "$HOME" `x` \\ tab	end'
set -gx OPENAI_BASE_URL 'http://localhost:4000/v1'
set -gx OPENAI_API_BASE 'http://localhost:4000/v1'
set -gx OPENAI_API_KEY 'sk-it\'s "$HOME" `x` \\ tab	end'
set -gx AVANTE_OPENAI_API_KEY 'sk-it\'s "$HOME" `x` \\ tab	end'
# avante.nvim reads its address from lua only; in its setup:
#   provider = "openai",
#   providers = {
#     openai = {
#       endpoint = "http://localhost:4000/v1",
#       model = "MODEL",
#       api_key_name = "cmd:llmgwctl key",
#     },
#   },
# llmgwctl env --shell fish | source
