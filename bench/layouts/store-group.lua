-- Records in 16 hashes per cell, by the third id character: at most 16 calls per batch; a hash stays small enough to move.
local byte = string.byte
local loose = {}
local function writeLoose(id, field, value)
  local g = byte(id, 3) % 16
  local l = loose[g]
  if not l then l = {}; loose[g] = l end
  local n = #l
  l[n + 1], l[n + 2] = field, value
end
local function flushLoose()
  for g, l in pairs(loose) do call('HSET', P .. ':g:' .. g, unpack(l)) end
  loose = {}
end
local function readAll(keys, fields, k)
  local groups, out = {}, {}
  for i = 1, #keys do
    local g = byte(keys[i], 3) % 16
    local l = groups[g]
    if not l then l = { {}, {} }; groups[g] = l end
    local f, at, o, n = l[1], l[2], (i - 1) * k, #l[1]
    for j = 1, k do f[n + j], at[n + j] = fields[o + j], o + j end
  end
  for g, l in pairs(groups) do
    local r, at = call('HMGET', P .. ':g:' .. g, unpack(l[1])), l[2]
    for j = 1, #at do out[at[j]] = r[j] end
  end
  return out
end
local function writeAll(keys, pairs_, k)
  for i = 1, #keys do
    for j = (i - 1) * 2 * k + 1, i * 2 * k, 2 do writeLoose(keys[i], pairs_[j], pairs_[j + 1]) end
  end
  flushLoose()
end
