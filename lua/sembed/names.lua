-- What numpy and PyTorch call things that have another name here: an unknown name of theirs is
-- answered with ours (fail.lua). Names that differ in a letter or two need no entry.

return {
  absolute = 'abs', amax = 'max', amin = 'min', arccos = 'acos', arccosh = 'acosh',
  arcsin = 'asin', arcsinh = 'asinh', arctan = 'atan', arctan2 = 'atan2', arctanh = 'atanh',
  argwhere = 'nonzero', astype = 'cast', bernoulli = 'random.bernoulli',
  binary_cross_entropy_with_logits = 'bce_with_logits', bmm = 'matmul', cat = 'concat',
  clamp = 'clip', concatenate = 'concat', cosine_embedding_loss = 'cosine_embedding',
  cosine_similarity = 'cosine', detach = 'stop_grad', dim = 'rank', divide = 'div',
  expand_dims = 'unsqueeze', float = 'f32', hstack = 'concat', huber_loss = 'huber',
  index_add = 'scatter_add', int = 'i32', inverse = 'reciprocal', l1_loss = 'l1', long = 'i32',
  margin_ranking_loss = 'margin_ranking', mm = 'matmul', moveaxis = 'permute',
  movedim = 'permute', mse_loss = 'mse', multinomial = 'random.categorical', multiply = 'mul',
  mv = 'matmul', ndim = 'rank', negative = 'neg', power = 'pow', rand = 'random.uniform',
  randint = 'random.randint', randn = 'random.normal', randperm = 'random.permutation',
  remainder = 'mod', smooth_l1_loss = 'huber', subtract = 'sub', swapaxes = 'transpose',
  tolist = 'totable', triplet_margin_loss = 'triplet', true_divide = 'div', view = 'reshape',
  vstack = 'concat',
}
