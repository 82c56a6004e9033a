-- Layout C2S, submit: layout C2 with the struct front of CS; the job's front follows its step's, all at fixed offsets.
-- head: 1 '>I4I4I4BI6H' version facts seq status createdAt steps, 22 '>BI4I4I4H' step, 37 '>BHHHI6I6I6Bc0Bc0' job, then msgpack
--       values to the end: [tenant, class, score, member, cost], event entries (arrays) and, when done, the result (a string)
-- item: [id, tenant, plan, class, score, cost]  reply: [1 created | 0 known, ...]
local spack = struct.pack
local out, index, ids, sets = {}, {}, {}, {}
local seq = call('INCRBY', P .. ':seq', #batch) - #batch
for i, it in ipairs(batch) do ids[i] = it[1] end
local known = readAll(ids, ids, 1)
local front = spack('>I4I4I4BI6HBI4I4I4HBHHHI6I6I6BB', 1, 0, 3, QUEUED, now, 1, QUEUED, 1, 0, 0, 0, QUEUED, 0, 0, 1, now, 0, 0, 0, 0)
local created = pack({ 1, now, 1, 0, 0, 2, 0, 0 })
for i, it in ipairs(batch) do
  local id = it[1]
  if known[i] then
    out[i] = 0
  else
    local member = seq8(seq + i) .. id .. '.0.0'
    local o = #sets
    sets[o + 1] = id
    sets[o + 2] = front .. pack({ it[2], it[4], it[5], member, it[6] }) .. created
    sets[o + 3] = id .. 'p'
    sets[o + 4] = it[3]
    enqueue(it[4], it[5], member)
    index[#index + 1] = id
    out[i] = 1
  end
end
writeAll(index, sets, 2)
flushQueue()
if #index > 0 then call('RPUSH', P .. ':ix', unpack(index)) end
return pack(out)
