-- Unit costs: runs ARGV[1] ARGV[2] times; the caller divides the server's script time. KEYS[1] = cell prefix.
local call, pack, unpk, sub = redis.call, cmsgpack.pack, cmsgpack.unpack, string.sub
local spack, sunpack, concat = struct.pack, struct.unpack, table.concat
local P, case, n = KEYS[1], ARGV[1], tonumber(ARGV[2])
local input = string.rep('x', 200)
local id = 'AbCdEfGhIjKlMnOpQrStUv'
local now = 1795200000000
local events = pack({ 1, now, 1, 0, 0, 2, 0, 0 }) .. pack({ 3, now, 3, 0, 0, 'agent-0042' })
local head = { 1, 0, 1, 'tenant-a', now, 3, { { 1, 1, 0, 0, 0 } }, events }
local job = { 1, 0, 0, 'k7f3a91c', 9007199254740992, '0000abcd' .. id .. '.0.0', 1, '12345-abcdefgh', 'agent-0042', 1, 0, 1, now, now, 0, input, '', '', '', 0 }
local headBlob, jobBlob = pack(head), pack(job)
local fixed = spack('>I4I4I4BI6HBI4I4I4HBc0', 1, 0, 3, 1, now, 1, 1, 1, 0, 0, 0, 8, 'tenant-a') .. events
local entry = { 3, now, 3, 0, 0, 'agent-0042' }
local key, ids64, set64, zadd64 = P .. ':h', {}, {}, {}
local function ref(i) return string.format('%08d', i) .. id .. '.0.0' end
for i = 1, 64 do
  ids64[i], set64[2 * i - 1], set64[2 * i] = 'f' .. i, 'f' .. i, input
  zadd64[2 * i - 1], zadd64[2 * i] = i, ref(i)
end
call('HSET', key, unpack(set64))
local cases = {
  ['empty loop'] = function() end,
  ['redis.call TIME'] = function() call('TIME') end,
  ['HGET 200 B'] = function() call('HGET', key, 'f7') end,
  ['HMGET 64 in one call, per field'] = function() call('HMGET', key, unpack(ids64)) end,
  ['HSET one field of 200 B'] = function() call('HSET', key, 'f7', input) end,
  ['HSET 64 fields in one call, per field'] = function() call('HSET', key, unpack(set64)) end,
  ['HSETNX known'] = function() call('HSETNX', key, 'f7', input) end,
  ['RPUSH one entry'] = function() call('RPUSH', P .. ':l', id) end,
  ['INCRBY'] = function() call('INCRBY', P .. ':n', 1) end,
  ['ZADD 64 + ZPOPMIN 64, per member'] = function() call('ZADD', P .. ':z', unpack(zadd64)); call('ZPOPMIN', P .. ':z', 64) end,
  ['ZADD 64 + ZRANGE 64 + ZREM 64, per member'] = function()
    call('ZADD', P .. ':z', unpack(zadd64))
    call('ZREM', P .. ':z', unpack(call('ZRANGE', P .. ':z', 0, 63)))
  end,
  ['64 x (ZADD 1 + ZREM 1), per member'] = function()
    for i = 1, 64 do call('ZADD', P .. ':z', i, zadd64[2 * i]) end
    for i = 1, 64 do call('ZREM', P .. ':z', zadd64[2 * i]) end
  end,
  ['cmsgpack.unpack head'] = function() unpk(headBlob) end,
  ['cmsgpack.pack head'] = function() pack(head) end,
  ['cmsgpack.unpack job, 20 fields'] = function() unpk(jobBlob) end,
  ['cmsgpack.pack job, 20 fields'] = function() pack(job) end,
  ['cmsgpack.pack event entry'] = function() pack(entry) end,
  ['table of 20 fields'] = function()
    local _ = { 1, 0, 0, 'k7f3a91c', 9007199254740992, input, 1, id, 'agent-0042', 1, 0, 1, now, now, 0, input, '', '', '', 0 }
  end,
  ['struct.unpack head front, 6 fields'] = function() sunpack('>I4I4I4BI6H', fixed) end,
  ['struct.pack head front, 6 fields'] = function() spack('>I4I4I4BI6H', 1, 0, 3, 1, now, 1) end,
  ['slice: edit 4 bytes of the head'] = function() local _ = sub(fixed, 1, 8) .. spack('>I4', 4) .. sub(fixed, 13) end,
  ['string.sub 300 B'] = function() local _ = sub(jobBlob, 2) end,
  ['concat of 2 strings, 250 B'] = function() local _ = headBlob .. input end,
  ['string.match of a job ref'] = function() string.match(zadd64[2], '^(%d+)%.(%d+)$', 32) end,
  ['number .. string'] = function(i) local _ = i .. '-' .. 'abcdefgh' end,
  ['string.format %08x'] = function(i) string.format('%08x', i) end,
  ['struct.pack >I8'] = function(i) spack('>I8', i) end,
}
if case == 'names' then
  local names = {}
  for name in pairs(cases) do names[#names + 1] = name end
  return names
end
local run = cases[case]
for i = 1, n do run(i) end
return n
