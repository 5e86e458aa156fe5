-- What the Lua tests share: assertions that are counted, and data beside them.

local se = require 'sembed'

local check = { count = 0 }

function check.ok(condition, what, ...)
  check.count = check.count + 1
  if not condition then error(what:format(...), 2) end
end

function check.equal(got, wanted, what)
  check.count = check.count + 1
  if got ~= wanted then
    error(('%s: %s came, %s is wanted'):format(what, tostring(got), tostring(wanted)), 2)
  end
end

-- Largest |a - b| of two tensors of one shape.
function check.distance(a, b)
  check.equal(table.concat(a:shape(), ','), table.concat(b:shape(), ','), 'shape')
  return ((a - b):abs():max():item())
end

function check.near(a, b, tolerance, what)
  check.count = check.count + 1
  local d = type(a) == 'number' and math.abs(a - b) or check.distance(a, b)
  if d <= tolerance then return end -- false for NaN, too
  error(('%s: off by %g, %g is allowed'):format(what, d, tolerance), 2)
end

-- |a - b| <= tolerance * |b| for numbers
function check.close(a, b, tolerance, what)
  check.count = check.count + 1
  if math.abs(a - b) <= tolerance * math.abs(b) then return end
  error(('%s: %.9g came, %.9g is wanted'):format(what, a, b), 2)
end

-- f must fail with a message that holds every one of the texts; gives the message.
function check.fails(f, ...)
  check.count = check.count + 1
  local ok, message = pcall(f)
  if ok then error(('no error came; wanted: %s'):format(table.concat({ ... }, ', ')), 2) end
  message = tostring(message)
  for i = 1, select('#', ...) do
    local text = select(i, ...)
    if not message:find(text, 1, true) then
      error(('the message lacks "%s": %s'):format(text, message), 2)
    end
  end
  return message
end

-- The same bytes?
function check.same(a, b, what)
  check.count = check.count + 1
  if a:bytes() ~= b:bytes() then
    error(('%s: not the same bits, off by %g'):format(what, check.distance(a, b)), 2)
  end
end

function check.data(name) return se.run.folder .. '/../data/' .. name end

-- A fresh folder, removed by check.done.
local folders = {}
function check.folder()
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute('mkdir ' .. name) == 0)
  folders[#folders + 1] = name
  return name
end

function check.write(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  return path
end

function check.read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end

-- Runs the program: what it wrote (both streams) and its exit status.
function check.run(arguments)
  local pipe = io.popen(('"%s" %s 2>&1; echo "status $?"'):format(se.run.program, arguments))
  local text = pipe:read '*a'
  pipe:close()
  local output, status = text:match '^(.*)status (%d+)\n$'
  return output, tonumber(status)
end

function check.done()
  for _, name in ipairs(folders) do os.execute('rm -r ' .. name) end
  print(('%d assertions'):format(check.count))
end

return check
