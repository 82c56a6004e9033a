-- Prelude of every layout script (run.ts prepends it): the cell prefix, the clock, sequence text, queue and offer writes.
-- KEYS[1] = cell prefix "{c0}", ARGV[1] = msgpack batch. Event kinds: 1 created 2 queued 3 started 4 job, 5 step, 6 workflow completed.
-- An event entry is one commit: [firstSeq, atMs, kind, step, slot(, agent for 3), kind, step, slot, ...].
local P, call, pack, unpk = KEYS[1], redis.call, cmsgpack.pack, cmsgpack.unpack
local sub, concat = string.sub, table.concat
local batch = unpk(ARGV[1])
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local QUEUED, RUNNING, DONE = 1, 2, 3
local ID = 22 -- every workflow id is 22 characters; a job ref is <id>.<step>.<slot>

local DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
local seqHi, seqText
local function seq8(n) -- 8 sortable characters; the upper 7 are kept while they stay the same
  local hi = math.floor(n / 62)
  if hi ~= seqHi then
    seqHi, seqText = hi, ''
    for _ = 1, 7 do
      local d = hi % 62
      seqText = sub(DIGITS, d + 1, d + 1) .. seqText
      hi = (hi - d) / 62
    end
  end
  local d = n - seqHi * 62 + 1
  return seqText .. sub(DIGITS, d, d)
end

local adds = {} -- class -> {score, member, ...}
local function enqueue(class, score, member)
  local a = adds[class]
  if not a then a = {}; adds[class] = a end
  a[#a + 1] = score
  a[#a + 1] = member
end
local function flushQueue()
  for class, a in pairs(adds) do call('ZADD', P .. ':q:' .. class, unpack(a)) end
end

local function split(ref) -- id, step, slot
  local step, slot = string.match(ref, '^(%d+)%.(%d+)$', ID + 2)
  return sub(ref, 1, ID), tonumber(step), tonumber(slot)
end
