-- Records in one hash per cell: one variadic call per batch, whatever the number of workflows.
local KEY = P .. ':b'
local loose = {}
local function readAll(keys, fields, k) return call('HMGET', KEY, unpack(fields)) end
local function writeAll(keys, pairs_, k) if #pairs_ > 0 then call('HSET', KEY, unpack(pairs_)) end end
local function writeLoose(id, field, value)
  loose[#loose + 1] = field
  loose[#loose + 1] = value
end
local function flushLoose() if #loose > 0 then call('HSET', KEY, unpack(loose)) end end
