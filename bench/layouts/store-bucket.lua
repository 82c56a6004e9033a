-- Records in bucket hashes named by the first two id characters: one call per workflow touched.
-- keys[i] is an id; fields / values lie flat, k (or 2k) per id.
local function readAll(keys, fields, k)
  local out, o = {}, 0
  for i = 1, #keys do
    local r = call('HMGET', P .. ':b:' .. sub(keys[i], 1, 2), unpack(fields, o + 1, o + k))
    for j = 1, k do out[o + j] = r[j] end
    o = o + k
  end
  return out
end
local function writeAll(keys, pairs_, k)
  for i = 1, #keys do
    call('HSET', P .. ':b:' .. sub(keys[i], 1, 2), unpack(pairs_, (i - 1) * 2 * k + 1, i * 2 * k))
  end
end
local function writeLoose(id, field, value)
  call('HSET', P .. ':b:' .. sub(id, 1, 2), field, value)
end
local function flushLoose() end
