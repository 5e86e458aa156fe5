-- For the transcripts: loops that LuaJIT compiles, in a function of a file.
local file = {}

function file.forever(n)
  local sum = 0
  while true do sum = sum + (n or 1) end
end

function file.stubborn()
  while true do pcall(file.forever, 2) end
end

return file
