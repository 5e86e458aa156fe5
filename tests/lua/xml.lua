-- A parser of the XML that pictures and pages are: well-formed, without declarations and comments.
local lpeg = require 'lpeg'

local xml = {}

local P, R, S, C, Cg, Cb, Cf, Ct, Cmt, V = lpeg.P, lpeg.R, lpeg.S, lpeg.C, lpeg.Cg,
  lpeg.Cb, lpeg.Cf, lpeg.Ct, lpeg.Cmt, lpeg.V
local name = R('az', 'AZ') * (R('az', 'AZ', '09') + S '-_:') ^ 0
local entity = P '&' * (P 'amp' + 'lt' + 'gt' + 'quot') * ';'
local attribute = Cg(S ' \n' ^ 1 * C(name) * '="' * C((P(1) - S '<&"' + entity) ^ 0) * '"')
local attributes = Cf(Ct '' * attribute ^ 0, function(all, key, value)
  if all[key] then error('twice: ' .. key) end
  all[key] = value
  return all
end)
local document = P {
  V 'element' * S '\n ' ^ 0 * -1,
  element = Ct('<' * Cg(C(name), 'tag') * Cg(attributes, 'attributes')
    * (P '/>' + '>' * Cg(V 'content', 'content') * '</'
      * Cmt(Cb 'tag' * C(name), function(_, at, open, close) return open == close and at end)
      * '>')),
  content = Ct((V 'element' + C((P(1) - S '<&' + entity) ^ 1)) ^ 0),
}

local function each(element, tag, found)
  found = found or {}
  if element.tag == tag then found[#found + 1] = element end
  for _, child in ipairs(element.content or {}) do
    if type(child) == 'table' then each(child, tag, found) end
  end
  return found
end

-- The tree { tag, attributes, content = { text or tree } } of a text; nil where it is not
-- well-formed.
function xml.parse(text) return (lpeg.match(document, text)) end

-- All elements of a tree with a tag, in order.
xml.each = each

-- Those with a class.
function xml.of_class(tree, tag, class)
  local found = {}
  for _, element in ipairs(each(tree, tag)) do
    if (' ' .. (element.attributes.class or '') .. ' '):find(' ' .. class .. ' ', 1, true) then
      found[#found + 1] = element
    end
  end
  return found
end

local PLAIN = { ['&lt;'] = '<', ['&gt;'] = '>', ['&quot;'] = '"', ['&amp;'] = '&' }

-- All text within an element.
function xml.text(element)
  local parts = {}
  for _, child in ipairs(element.content or {}) do
    parts[#parts + 1] = type(child) == 'table' and xml.text(child)
      or (child:gsub('&%a+;', PLAIN))
  end
  return table.concat(parts)
end

return xml
