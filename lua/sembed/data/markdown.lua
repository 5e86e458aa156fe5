-- A comment's markdown -> its text, by a grammar: se.data.markdown '**so**, &amp; then' is
-- 'so, & then'. Links keep their words, emphasis and code lose their marks, quoted lines are left
-- out (they are another comment's text), entities become characters, white space becomes one space.

local lpeg = require 'lpeg'

local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V
local C, Cs, Ct = lpeg.C, lpeg.Cs, lpeg.Ct

local ENTITIES = { amp = '&', lt = '<', gt = '>', quot = '"', apos = "'", nbsp = ' ' }

local newline = P '\n'
local blank = S ' \t'
local digit, letter = R '09', R('az', 'AZ')
local start_of_line = lpeg.B(newline) + -lpeg.B(1)

-- A code point as UTF-8; '' for what is none.
local function utf8(n)
  if not n or n > 0x10ffff or (n >= 0xd800 and n < 0xe000) then return '' end
  if n < 0x80 then return string.char(n) end
  local tail, limit = '', 0x40
  repeat
    tail, n, limit = string.char(0x80 + n % 64) .. tail, math.floor(n / 64), limit / 2
  until n < limit
  return string.char(256 - 2 * limit + n) .. tail
end

local entity = P '&' * (C(letter ^ 1) / ENTITIES
  + P '#' * S 'xX' * C(R('09', 'af', 'AF') ^ 1) / function(hex) return utf8(tonumber(hex, 16)) end
  + P '#' * C(digit ^ 1) / function(n) return utf8(tonumber(n)) end) * P ';' / '%1'

-- Lines that begin with > (or its entity) are quotes, but >!words!< is a spoiler.
local quote_mark = (P '>' + P '&gt;') - (P '>!' + P '&gt;!')
local quote = start_of_line * blank ^ 0 * quote_mark * (1 - newline) ^ 0 / ''
local line_mark = start_of_line * blank ^ 0 * (P '#' ^ 1 * blank ^ 1 + S '*-+' * blank ^ 1
  + digit ^ 1 * P '.' * blank ^ 1) / ''
local rule = start_of_line * blank ^ 0 * (P '*' ^ 3 + P '-' ^ 3 + P '_' ^ 3) * blank ^ 0
  * #(newline + -1) / ''
local fence = start_of_line * P '```' * (1 - newline) ^ 0 / ''

-- Something between two marks that stand close to it: *so*, not 2 * 3.
local function between(mark)
  local close = P(mark)
  return close * #(1 - S ' \t\n') * Cs((V 'inline' - close - newline * newline) ^ 1) * close
    / function(inner) return inner end
end

local grammar = P {
  'text',
  text = Cs((quote + rule + fence + line_mark + V 'inline') ^ 0),
  inline = V 'escape' + V 'code' + V 'link' + V 'spoiler' + V 'emphasis' + V 'power' + entity + 1,
  escape = P '\\' * C(S '\\`*_{}[]()#+-.!~^>&') / '%1',
  code = P '`' ^ 1 * C((1 - S '`\n') ^ 1) * P '`' ^ 1 / '%1',
  link = P '!' ^ -1 * P '[' * Cs((V 'inline' - S ']\n') ^ 1) * P '](' * (1 - S ')\n') ^ 0 * P ')'
    / '%1',
  spoiler = (P '>!' + P '&gt;!') * Cs((V 'inline' - (P '!<' + P '!&lt;')) ^ 1)
    * (P '!<' + P '!&lt;') / '%1',
  emphasis = between '***' + between '**' + between '*' + between '~~'
    + -lpeg.B(R('az', 'AZ', '09')) * (between '__' + between '_'),
  power = P '^' ^ 1 * P '(' * Cs((V 'inline' - S ')\n') ^ 1) * P ')' / '%1'
    + -lpeg.B(1 - S ' \t\n') * P '^' ^ 1 * #(1 - S ' \t\n') / '',
}

local space = S ' \t\r\n' ^ 1
local squeeze = space ^ -1 * Ct((C((1 - S ' \t\r\n') ^ 1) * space ^ -1) ^ 0)

return function(text)
  return table.concat(squeeze:match(grammar:match(text)), ' ')
end
