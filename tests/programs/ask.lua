-- Asks as avante.nvim does (its a9334315): the options that `llmgwctl setup avante` prints, read as
-- a table of lua; the key from AVANTE_OPENAI_API_KEY, else from the command behind "cmd:"; one
-- curl whose body is a file and whose answer is a stream of events.
local block = table.concat(vim.fn.readfile(vim.env.BLOCK), "\n")
local options = assert(loadstring("return {\n" .. block .. "\n}"))()
local provider = options.providers[options.provider]

local key = vim.env.AVANTE_OPENAI_API_KEY
if not key then
  key = vim.split(vim.fn.system({ "sh", "-c", provider.api_key_name:match("^cmd:(.*)") }), "\n")[1]
end

local body = vim.fn.tempname()
local asked = {
  model = arg[2] or provider.model,
  stream = true,
  messages = { { role = "user", content = arg[1] or "?" } },
}
vim.fn.writefile({ vim.json.encode(asked) }, body)
local answer = vim.system({
  "curl", "-sSL", "-D", vim.fn.tempname(), "--compressed", "-X", "POST",
  "-H", "Content-Type: application/json", "-H", "Authorization: Bearer " .. key,
  "-d", "@" .. body, "--no-buffer", provider.endpoint .. "/chat/completions",
}, { text = true }):wait()

for line in vim.gsplit(answer.stdout, "\n") do
  local event = line:match("^data: ({.*)$")
  if event then
    local said = vim.json.decode(event)
    local delta = said.choices and said.choices[1].delta or { content = event }
    io.write(type(delta.content) == "string" and delta.content or "")
  elseif line:match("^{") then
    io.write(line)
  end
end
vim.cmd("qa!")
