-- HTTP requests, over core/io/download.h: redirects, and trying again.

local core = require 'sembed.ffi'
local fail = require 'sembed.fail'
local files = require 'sembed.files'
local progress = require 'sembed.progress'

local C = core.C
local http = {
  tries = 6,     -- in a row without a byte of progress
  backoff = 1,   -- seconds before the second try; twice as many before each further one
  timeout = 10,  -- seconds to connect in, and without a byte
}

-- The variables by which curl and OpenSSL are told of certificates that the system does not know.
for _, name in ipairs { 'CURL_CA_BUNDLE', 'SSL_CERT_FILE' } do
  local path = os.getenv(name)
  if path and path ~= '' then http.ca = http.ca or path end
end

local MAX_HOPS, LONGEST_PAUSE = 10, 60
local box, done, size_box = core.new 'se_http *[1]', core.new 'bool[1]', core.new 'size_t[1]'
local headers = { 'etag', 'x-linked-etag', 'x-error-message', 'retry-after' }

-- "https://host:port" of an address: compared as it is written, so that a doubt is a difference.
local function origin(url) return url:match '^%a+://[^/]*' end

local function answer(h)
  local r = { code = C.se_http_code(h), location = core.text(C.se_http_location(h)), headers = {} }
  local text = C.se_http_body(h, size_box)
  r.body = core.text(text, size_box[0])
  for _, name in ipairs(headers) do r.headers[name] = core.text(C.se_http_header(h, name)) end
  return r
end

-- One answer, or nil and why there is none, though trying again may help.
local function once(url, options, token)
  local want = core.new 'se_http_want'
  want.url, want.token, want.path, want.etag = url, token, options.path, options.etag
  want.most, want.timeout, want.ca = options.most or 2 ^ 24, http.timeout, http.ca
  core.check(C.se_http_start(want, box))
  local h = core.gc(box[0], C.se_http_close)
  local function close() C.se_http_close(core.gc(h, nil)) end
  repeat
    local status = C.se_http_step(h, 100, done)
    if status ~= C.SE_OK then
      local why, again = core.text(C.se_message()), C.se_http_again(h)
      close()
      if again then return nil, why end
      if status == C.SE_ERR_INTERRUPTED then fail.stop 'interrupted' end
      fail.raise('%s', why)
    end
    if options.progress then options.progress(tonumber(C.se_http_bytes(h))) end
  until done[0]
  local r = answer(h)
  close()
  return r
end
jit.off(once) -- see ffi.lua: `want` lends Lua's strings to C

-- Follows redirects. The token is for the first address's host alone.
local function follow(url, options)
  local first, at, linked = url, url, nil
  for _ = 1, MAX_HOPS do
    local r, why = once(at, options, origin(at) == origin(first) and options.token or nil)
    if not r then return nil, why end
    local etag = r.headers['x-linked-etag']
    linked = linked or (etag ~= '' and etag or nil)
    r.linked = linked
    if r.code < 300 or r.code > 399 or r.location == '' then return r end
    if at:match '^https:' and not r.location:match '^https:' then
      fail.raise('%s: leads to %s: an address with https:// is wanted', at, r.location)
    end
    at = r.location
  end
  return fail.raise('%s: leads from one address to the next more than %d times', url, MAX_HOPS)
end

local function passes(code) return code ~= 408 and code ~= 429 and code < 500 end

-- The answer of `url`: { code, body, headers, linked }. options: token, path (a file that the body
-- goes into, behind what it holds), etag (of that), most (bytes), progress(bytes), tries
-- (http.tries). Lost connections, busy and failing servers are tried again; nil and why when that
-- was in vain, too.
function http.get(url, options)
  local try, best = 0, options.path and files.size(options.path) or 0
  while true do
    local r, why = follow(url, options)
    if r and passes(r.code) then return r end
    local size = options.path and files.size(options.path) or 0
    try, best = size > best and 1 or try + 1, math.max(best, size)
    why = why or ('%s: the server answers %d'):format(url, r.code)
    if try >= (options.tries or http.tries) then return nil, why end
    local pause = http.backoff * 2 ^ (try - 1)
    local wished = r and tonumber(r.headers['retry-after']) or 0
    pause = math.min(math.max(pause, wished), LONGEST_PAUSE)
    progress.on_terminal('%s: trying again in %.0f s', why, pause)
    core.check(C.se_wait(pause))
  end
end

return http
