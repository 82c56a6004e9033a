-- Layout B, one chunk of a fan-out: the whole record is rewritten.
-- batch: [id, class, cost, firstSlot, total, plan, [score, input, ...]]
local id, class, cost, first, total, plan, jobs = unpack(batch)
local n = #jobs / 2
local seq = call('INCRBY', P .. ':seq', n) - n
local rec
if first == 0 then
  rec = { 1, 0, QUEUED, 't', now, 2, plan, { { QUEUED, total, 0, 0, 0 } }, { {} }, { { 1, now, 1, 0, 0 } } }
else
  rec = unpk(readAll({ id }, { id }, 1)[1])
end
local list = rec[9][1]
for i = 1, n do
  local slot = first + i - 1
  local member = seq8(seq + i) .. id .. '.0.' .. slot
  list[slot + 1] = { QUEUED, 0, slot, class, jobs[2 * i - 1], member, cost, '', '', 0, 0, 1, now, 0, 0, jobs[2 * i], '', '', '', 0 }
  enqueue(class, jobs[2 * i - 1], member)
end
writeAll({ id }, { id, pack(rec) }, 1)
flushQueue()
return pack({ n })
