-- The real all-mpnet-base-v2: loss and every parameter's gradient on eight real pairs, next to
-- float64. SEMBED_MODELS names the folder that tests/get_models.sh filled; without it the test is
-- skipped (exit status 77).
local models = os.getenv 'SEMBED_MODELS'
if not models then
  print 'skipped: SEMBED_MODELS is not set'
  os.exit(77, true)
end

local se = require 'sembed'
local check = require 'check'

local model = se.model.open(models .. '/all-mpnet-base-v2')
local wanted = se.json.load(check.data 'all-mpnet-base-v2/one-step.json')
local a, b = {}, {}
for i, pair in ipairs(wanted.pairs) do a[i], b[i] = pair.a_ids, pair.b_ids end

-- Without a key there is no dropout.
local function vectors(lists) return model:vectors(se.text.of_ids(lists), true) end
local loss = se.loss.in_batch.symmetric { scale = 20 }(vectors(a), vectors(b))
local grads = se.grad(loss, model.params)
check.near(loss:item(), wanted.loss, 1e-5, 'loss')

local at = {}
for i, name in ipairs(model.params.names) do at[name] = grads[i] or false end
local worst_norm, worst_entry, squares, compared = 0, 0, 0, 0
for _, p in ipairs(wanted.parameters) do
  local g = at[p.name]
  if p.norm == nil or p.norm == se.json.null then -- the pooler: no path leads to it
    check.ok(not g, '%s has a gradient', p.name)
  else
    check.ok(g, '%s has no gradient', p.name)
    local norm = g:norm():item()
    squares = squares + norm * norm
    if not p.name:find 'k%.bias$' then -- its gradient is rounding alone
      local off = math.abs(norm - p.norm) / math.max(p.norm, 1e-6 * wanted.grad_norm)
      check.ok(off <= 1e-4, '%s: norm %.9g, %.9g is wanted', p.name, norm, p.norm)
      worst_norm = math.max(worst_norm, off)
      for _, entry in ipairs(p.entries) do
        local value = g
        for _, k in ipairs(entry.index) do value = value[k + 1] end
        local apart = math.abs(value:item() - entry.value) / math.abs(entry.value)
        check.ok(apart <= 1e-3, '%s[%s]: %.9g, %.9g is wanted', p.name,
          table.concat(entry.index, ','), value:item(), entry.value)
        worst_entry, compared = math.max(worst_entry, apart), compared + 1
      end
    end
  end
end
check.close(math.sqrt(squares), wanted.grad_norm, 1e-4, 'norm of all gradients')
check.ok(compared > 900, '%d entries were compared', compared)
print(('loss off by %.2g, norms by %.2g of their size, %d entries by %.2g'):format(
  math.abs(loss:item() - wanted.loss), worst_norm, compared, worst_entry))
check.done()
