-- se.config { key = default, ... }: a recipe's options, settable from the shell as key=value.
--
--   local cfg, given = se.config {
--     batch = 256, lr = 2e-3, dropout = true, out = 'runs/mine',
--     presets = { small = { batch = 64 } }, -- chosen by preset=small
--   }
--
-- The default's type is the key's type. The shell wins over a preset, a preset over a default,
-- whatever their order. given[key] is true for what came from the shell. Every recipe also knows
-- the engine's keys: device, threads, profile, memory, precision, seed, mpi.

local fail = require 'sembed.fail'
local precision = require 'sembed.precision'
local run = require 'sembed.run'

local config = {}

local engine = {
  device = 'cpu', threads = 0, profile = false, memory = '', precision = 'f32', seed = 1,
  mpi = false,
}
config.engine = engine

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- --- text from the shell -> the type of the default ---

local booleans = { ['0'] = false, ['1'] = true, ['false'] = false, ['true'] = true }

local function to_list(key, text, default)
  local list, kind = {}, type(default[1])
  for part in (text .. ','):gmatch '([^,]*),' do
    local value = part
    if kind == 'number' then value = tonumber(part) end
    if value == nil then fail.raise('%s=%s: numbers with commas between are wanted', key, text) end
    list[#list + 1] = value
  end
  return list
end

local function convert(key, text, default)
  local kind = type(default)
  if kind == 'string' then return text end
  if kind == 'table' then return to_list(key, text, default) end
  if kind == 'number' then
    local number = tonumber(text)
    if not number or number ~= number then fail.raise('%s=%s: a number is wanted', key, text) end
    return number
  end
  if kind == 'boolean' then
    local value = booleans[text]
    if value == nil then fail.raise('%s=%s: 0, 1, true or false is wanted', key, text) end
    return value
  end
  return fail.raise('%s cannot be set from the shell: its default is a %s', key, kind)
end

local units = { [''] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30, T = 2 ^ 40 }

-- "200M" -> bytes
function config.bytes(text)
  if type(text) == 'number' then return text end
  local number, unit = text:upper():match '^([%d.]+)([KMGT]?)I?B?$'
  if not tonumber(number) then
    fail.raise('memory=%s: a size is wanted, like 200M or 8G', text)
  end
  return tonumber(number) * units[unit]
end

-- --- the engine's keys ---

-- Puts the engine's keys into force; called by the program with the shell's, and again by
-- se.config with the recipe's own defaults.
function config.use_engine(cfg)
  local core = require 'sembed.ffi'
  local C = core.C
  core.check(C.se_device_use(tostring(cfg.device), cfg.precision == 'bf16'))
  local shard = package.loaded['sembed.shard']
  if shard then shard.count = tonumber(C.se_shard_count()) end
  precision.use(cfg.precision)
  fail.unless(cfg.threads >= 0 and cfg.threads % 1 == 0, 'threads=%s: a count is wanted, 0 for all',
    tostring(cfg.threads))
  C.se_threads_set(cfg.threads)
  run.seed = cfg.seed
  if cfg.profile and not run.profile then C.se_profile_start() end
  run.profile = cfg.profile
  if cfg.memory ~= '' then C.se_memory_limit(config.bytes(cfg.memory)) end
end

-- The engine's keys as the shell gave them, for programs without se.config.
function config.engine_only()
  local cfg = {}
  for key, default in pairs(engine) do
    local text = run.keys[key]
    if text then cfg[key] = convert(key, text, default) else cfg[key] = default end
  end
  config.use_engine(cfg)
end

-- --- se.config ---

local function check_known(table, known, where)
  for _, key in ipairs(sorted(table)) do
    if known[key] == nil then
      fail.raise('%s%s', where, fail.unknown('key', key, sorted(known)))
    end
  end
end

local function apply_preset(cfg, presets)
  local name = run.keys.preset or cfg.preset
  if name == '' then return end
  local preset = presets[name]
  if not preset then fail.raise('%s', fail.unknown('preset', name, sorted(presets))) end
  for key, value in pairs(preset) do cfg[key] = value end
end

local strict = {
  __index = function(cfg, key)
    fail.raise('config: %s', fail.unknown('key', key, sorted(cfg)))
  end,
}

function config.read(defaults)
  local presets, cfg, given = defaults.presets, {}, {}
  for key, default in pairs(engine) do cfg[key] = default end
  for key, default in pairs(defaults) do
    if key ~= 'presets' then cfg[key] = default end
  end
  if presets then
    cfg.preset = cfg.preset or ''
    for name, preset in pairs(presets) do check_known(preset, cfg, 'preset ' .. name .. ': ') end
  end
  check_known(run.keys, cfg, '')
  local known = {}
  for key, default in pairs(cfg) do known[key] = default end
  if presets then apply_preset(cfg, presets) end
  for key, text in pairs(run.keys) do
    cfg[key], given[key] = convert(key, text, known[key]), true
  end
  config.use_engine(cfg)
  run.configured = true
  return setmetatable(cfg, strict), given
end

return config
