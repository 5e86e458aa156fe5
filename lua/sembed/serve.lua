-- The parts of a server that a recipe puts together (recipes/serve.lua):
--
--   local server = se.serve.open(models, options)   -- listens; options: the recipe's keys
--   server:open(busy)          false once SIGTERM or SIGINT came and everything is answered
--   server:pull(milliseconds)  -> jobs: requests that want texts encoded, read and checked
--   server:encode(batch)       batch: a list of { job, first, last }, texts that are alike
--   server:gone(job)           its client has gone away: nobody waits for it
--   server:close()
--
-- Everything else (parsing, limits, errors, the other routes) happens within. C answers by itself
-- what needs no model, also while a batch is computed: core/serve/server.h.

local ask = require 'sembed.serve.ask'
local core = require 'sembed.ffi'
local count = require 'sembed.serve.count'
local fail = require 'sembed.fail'
local openai = require 'sembed.serve.openai'
local tei = require 'sembed.serve.tei'
local work = require 'sembed.serve.work'

jit.off(true, true) -- see ffi.lua

local C = core.C
local serve = { alike = work.alike }
local Server = {}
Server.__index = Server

local PULL = 64
local box, requests = core.new 'se_server *[1]', core.new('se_request[?]', PULL)
local state = core.new 'se_server_state'
local JSON = 'application/json'

-- --- models ---

-- "DIR" or "NAME=DIR", several with commas between or as further words -> a list of models.
function serve.models(text, words)
  local list, seen = {}, {}
  local parts = table.concat({ text, unpack(words or {}) }, ',')
  for part in parts:gmatch '[^,]+' do
    local name, path = part:match '^([^=/]+)=(.+)$'
    local model = require 'sembed.model.open'(path or part)
    local folder = (path or part):gsub('/+$', '')
    model.name = name or (folder:match '[^/]+$' or folder)
    if seen[model.name] then
      fail.raise('serve: two models are called "%s"; NAME=DIR gives one another name', model.name)
    end
    seen[model.name], list[#list + 1] = true, model
  end
  if #list == 0 then fail.raise 'serve: model=DIR is missing' end
  return list
end

-- --- opening ---

local function key_of(o)
  if o.key ~= '' then return o.key end
  if o.key_file ~= '' then
    local path = require('sembed.run').path(o.key_file)
    return (require('sembed.files').read(path):match '^%s*(.-)%s*$')
  end
  return os.getenv 'SEMBED_SERVE_KEY'
end

local function add_routes(self, part)
  for _, route in ipairs(part.routes) do
    self.routes[route[2]] = { handle = route[3], error = part.error }
    core.check(C.se_server_route(self.handle, route[1], route[2], part.form))
  end
end

-- o: host, port, body (bytes), bodies, queue, connections, timeout, key, key_file, log, texts,
-- tokens, batch, truncate.
function serve.open(models, o)
  local c, key, host = core.new 'se_server_options', key_of(o), o.host
  if key == '' then fail.raise 'serve: the key is empty' end
  c.host, c.port, c.key = host, o.port, key
  c.body, c.bodies, c.queue, c.connections = o.body, o.bodies, o.queue, o.connections
  c.timeout, c.log = o.timeout, o.log
  core.check(C.se_server_open(c, box))
  core.hold(key, host)
  local self = setmetatable({ handle = core.gc(box[0], C.se_server_close), models = models,
    limits = o, routes = {}, count = count.new(), started = os.time(), by_name = {},
    key = key ~= nil }, Server)
  local one_each = { form = openai.form, error = openai.error, routes = {} }
  for i, model in ipairs(models) do
    self.by_name[model.name] = model
    one_each.routes[i] = openai.model_route(model)
  end
  for _, part in ipairs { openai, one_each, tei, { form = tei.form, error = tei.error,
    routes = { { 'GET', '/metrics', Server.metrics } } } } do
    add_routes(self, part)
  end
  self.port = C.se_server_port(self.handle)
  C.se_interrupt_defer(true) -- from here on a signal is for open(), not for the middle of a batch
  core.check(C.se_server_start(self.handle))
  return self
end

-- Address, models and a line to try, on standard output.
function Server:announce()
  local shown = self.limits.host:find ':' and '[' .. self.limits.host .. ']' or self.limits.host
  local address = ('http://%s:%d'):format(shown, self.port)
  for _, model in ipairs(self.models) do
    print(('serving %s: %d dimensions, up to %s tokens a text'):format(model.name, model.dims,
      model.length or 'any number of'))
  end
  print(('listening on %s'):format(address))
  print(("try: curl -s %s/v1/embeddings%s -d '{\"model\":\"%s\",\"input\":\"Hello\"}'"):format(
    address, self.key and " -H 'Authorization: Bearer KEY'" or '', self.models[1].name))
  io.stdout:flush()
  local loopback = shown:match '^127%.' or shown == 'localhost' or shown == '[::1]'
  if not loopback and not self.key then
    io.stderr:write 'there is no key: whoever can reach this address can use the server\n'
  end
end

-- --- requests ---

-- The model of that name, the first one without a name; another name is refused with 404.
function Server:model(name)
  if not name then return self.models[1] end
  local model = self.by_name[name]
  if model then return model end
  local known = {}
  for i, one in ipairs(self.models) do known[i] = one.name end
  return error(setmetatable({ status = 404, message = fail.unknown('model', name, known),
    param = 'model', code = 'model_not_found' }, ask.Refusal), 0)
end

-- Completes what a route made of a request.
function Server:job(job, request, truncate)
  work.job(job, self.limits, truncate)
  job.id = request.id
  job.reply = core.gc(C.se_reply_new(), C.se_reply_free)
  return job
end

-- Answers a request: status and text, JSON unless a content type is given.
function Server:answer(id, status, text, content_type)
  core.check(C.se_server_reply(self.handle, id, status, content_type or JSON, text, #text))
end

local function report(self, request, problem)
  if not ask.is_refusal(problem) then
    io.stderr:write(('serve: %s: %s\n'):format(request.path, tostring(problem)))
    problem = { status = 500, message = 'the server failed; its log says why' }
  end
  self:answer(request.id, problem.status, self.routes[request.path].error(problem))
end

local function start(self, c)
  local request = { id = c.id, path = core.text(c.path), body = c.body, bytes = c.bytes }
  local ok, job = pcall(self.routes[request.path].handle, self, request)
  if not ok then return report(self, request, job) end
  if job then job.path = request.path end
  return job
end

-- Requests that came, at most so many milliseconds awaited -> a list of jobs, read and checked.
-- Those that are refused, or need no model, are answered at once.
function Server:pull(milliseconds)
  local jobs = {}
  for i = 0, C.se_server_pull(self.handle, milliseconds, PULL, requests) - 1 do
    jobs[#jobs + 1] = start(self, requests[i])
  end
  return jobs
end

-- `busy`: jobs are left. After a signal the port is closed, and what was accepted is finished.
function Server:open(busy)
  if not C.se_interrupted() and not self.draining then return true end
  if not self.draining then
    C.se_server_drain(self.handle)
    self.draining = true
    C.se_interrupt_clear() -- a second signal would end at once: main.c looks at this flag
    C.se_interrupt_set()
  end
  C.se_server_look(self.handle, state)
  return busy or state.active > 0
end

-- true where the client of a job has closed its connection.
function Server:gone(job) return C.se_server_gone(self.handle, job.id) end

local function finish(self, job)
  if job.failed then
    return report(self, job, setmetatable({ status = 500, message = job.failed }, ask.Refusal))
  end
  job:finish()
  core.check(C.se_server_send(self.handle, job.id, 200, JSON, core.gc(job.reply, nil)))
end

-- Drops a job without an answer that anybody reads.
function Server:drop(job)
  job.done = job.size
  self.count:drop(job)
  report(self, job, setmetatable({ status = 500, message = 'the client has gone' }, ask.Refusal))
end

-- Encodes the pieces' texts together and answers the jobs that are complete with it.
function Server:encode(batch)
  local ok, problem = pcall(work.encode, batch)
  self.count:batch(batch)
  for _, piece in ipairs(batch) do
    local job = piece.job
    if not ok then
      job.done = job.size
      report(self, job, problem)
    elseif job.done == job.size then
      finish(self, job)
    end
  end
end

-- Answers a request with what was counted, in Prometheus' form.
function Server:metrics(request)
  local reply = core.gc(C.se_reply_new(), C.se_reply_free)
  C.se_server_metrics(self.handle, reply)
  local text = self.count:text()
  C.se_reply_add(reply, text, #text)
  core.check(C.se_server_send(self.handle, request.id, 200,
    'text/plain; version=0.0.4; charset=utf-8', core.gc(reply, nil)))
end

-- Closes the port; signals mean again what they meant before.
function Server:close()
  C.se_server_close(core.gc(self.handle, nil))
  C.se_interrupt_defer(false)
  C.se_interrupt_clear()
end

return serve
