-- Layouts C and C2, one chunk of a fan-out: a record per job, the head once per chunk.
-- batch: [id, class, cost, firstSlot, total, plan, [score, input, ...]]
local id, class, cost, first, total, plan, jobs = unpack(batch)
local n = #jobs / 2
local seq = call('INCRBY', P .. ':seq', n) - n
if first == 0 then
  writeAll({ id }, { id, pack({ 1, 0, QUEUED, 't', now, 2, { { QUEUED, total, 0, 0, 0 } }, pack({ 1, now, 1, 0, 0 }) }), id .. 'p', plan }, 2)
end
local sets = {}
for i = 1, n do
  local slot = first + i - 1
  local ref = id .. '.0.' .. slot
  local member = seq8(seq + i) .. ref
  sets[2 * i - 1] = ref
  sets[2 * i] = pack({ QUEUED, 0, slot, class, jobs[2 * i - 1], member, cost, '', '', 0, 0, 1, now, 0, 0, jobs[2 * i], '', '', '', 0 })
  enqueue(class, jobs[2 * i - 1], member)
end
writeAll({ id }, sets, n)
flushQueue()
return pack({ n })
