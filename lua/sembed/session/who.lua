-- The tensors that names lead to: who().

local core = require 'sembed.ffi'

local C = core.C
local who = {}

local MOST, DEPTH = 40, 8 -- rows shown; tables within tables looked into
local WIDTH = { f32 = 4, bf16 = 2, i32 = 4, bool = 1 }

local function member(path, key)
  if type(key) == 'string' and key:match '^[%a_][%w_]*$' then
    return path == '' and key or path .. '.' .. key
  end
  if type(key) == 'string' then return ('%s[%q]'):format(path, key) end
  return ('%s[%s]'):format(path, tostring(key))
end

local function row_of(name, t)
  if C.se_tensor_released(t.c) then return end
  local n = WIDTH[t:dtype()]
  for _, d in ipairs(t:shape()) do n = n * d end
  local kind, rest = t:describe():match '^(%S+)%s*(.*)$'
  local ready = C.se_tensor_ready(t.c)
  return { name = name, kind = kind, bytes = ready and n or 0, rest = rest }
end

local function skipped(value)
  local loaded = package.loaded
  return value == _G or value == loaded or value == package or value == loaded.sembed
end

-- Breadth first: a tensor gets its shortest name.
local function collect(env)
  local seen, rows = { [env] = true }, {}
  local level = { { '', env, 0 } }
  while level[1] do
    local deeper = {}
    for _, place in ipairs(level) do
      local path, tab, depth = unpack(place)
      for key, value in next, tab do
        if core.is_tensor(value) then
          local id = tostring(value.c)
          if not seen[id] then
            seen[id] = true
            rows[#rows + 1] = row_of(member(path, key), value)
          end
        elseif type(value) == 'table' and not seen[value] and not skipped(value)
          and depth < DEPTH then
          seen[value] = true
          deeper[#deeper + 1] = { member(path, key), value, depth + 1 }
        end
      end
    end
    table.sort(deeper, function(a, b) return a[1] < b[1] end)
    level = deeper
  end
  table.sort(rows, function(a, b)
    if a.bytes ~= b.bytes then return a.bytes > b.bytes end
    return a.name < b.name
  end)
  return rows
end

local function text_of(rows)
  local wide, kinds = 4, 4
  for i = 1, math.min(#rows, MOST) do
    wide, kinds = math.max(wide, #rows[i].name), math.max(kinds, #rows[i].kind)
  end
  local form = '%-' .. wide .. 's  %-' .. kinds .. 's  %12s  %s'
  local lines, named, further = { form:format('name', 'type', 'bytes', 'made by') }, 0, 0
  for i, row in ipairs(rows) do
    named = named + row.bytes
    if i <= MOST then
      lines[#lines + 1] = form:format(row.name, row.kind, ('%d'):format(row.bytes), row.rest)
    else
      further = further + row.bytes
    end
  end
  if #rows > MOST then
    lines[#lines + 1] = ('%d more of %d bytes'):format(#rows - MOST, further)
  end
  local live = tonumber(C.se_memory_live())
  local peak = math.max(tonumber(C.se_memory_peak()), core.peak or 0) -- of commands before this one
  lines[#lines + 1] = ('%d tensors with names, %.1f MB; %.1f MB alive in all, at most %.1f MB')
    :format(#rows, named / 1e6, live / 1e6, peak / 1e6)
  return table.concat(lines, '\n')
end

-- who() for the names of env.
function who.of(env)
  return function() return text_of(collect(env)) end
end

return who
