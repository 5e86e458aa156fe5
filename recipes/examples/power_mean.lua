-- An op in Lua: the mean of x^p to the power of 1/p, of positive numbers. p = 1 is the mean; the
-- larger p is, the nearer the largest. Pooling by it is called GeM (Radenovic et al. 2018,
-- arXiv:1711.02512).
local se = require 'sembed'

return se.op.define {
  name = 'power_mean',
  args = 'x axis:axis=1 p:num=3',
  doc = 'mean(x^p)^(1/p) over an axis, of positive numbers',
  expand = function(x, axis, p) return (x ^ p):mean(axis) ^ (1 / p) end,
  sample = 'x:f32[3x4]@0.5..2 -> f32[4]; x:f32[3x4]@0.5..2 axis=2 p=2 -> f32[3]',
}
