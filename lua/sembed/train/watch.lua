-- Whether a for loop over an iterator still runs. While it does, the loop holds the iterator in a
-- local of a name that no program can give, which the stack shows.

local function is_open(iterator)
  for level = 2, math.huge do
    if not debug.getinfo(level, 'f') then return false end
    for i = 1, math.huge do
      local name, value = debug.getlocal(level, i)
      if not name then break end
      if name == '(for generator)' and value == iterator then return true end
    end
  end
end

-- Called within the loop: gives a function that calls left() when the loop has ended. nil where the
-- iterator was called by hand. Seen from another coroutine than the loop's, it runs.
return function(iterator, left)
  if not is_open(iterator) then return nil end
  local thread = coroutine.running()
  return function()
    if coroutine.running() == thread and not is_open(iterator) then left() end
  end
end
