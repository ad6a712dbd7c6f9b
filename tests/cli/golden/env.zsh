export ANTHROPIC_BASE_URL=http://localhost:4000
export ANTHROPIC_AUTH_TOKEN='sk-it'"'"'s "$HOME" `x` \ tab	end'
export OPENAI_BASE_URL=http://localhost:4000/v1
export OPENAI_API_BASE=http://localhost:4000/v1
export OPENAI_API_KEY='sk-it'"'"'s "$HOME" `x` \ tab	end'
export AVANTE_OPENAI_API_KEY='sk-it'"'"'s "$HOME" `x` \ tab	end'
# avante.nvim reads its address from lua only; in its setup:
#   provider = "openai",
#   providers = {
#     openai = {
#       endpoint = "http://localhost:4000/v1",
#       model = "MODEL",
#       api_key_name = "cmd:llmgwctl key",
#     },
#   },
# eval "$(llmgwctl env --shell zsh)"
