-- Layout A, one chunk of a fan-out. batch: [id, class, cost, firstSlot, total, plan, [score, input, score, input, ...]]
local id, class, cost, first, total, plan, jobs = unpack(batch)
local n = #jobs / 2
local seq = call('INCRBY', P .. ':seq', n) - n
local key = P .. ':w:' .. id
if first == 0 then
  call('HSET', key, 'status', QUEUED, 'version', 1, 'facts', 0, 'tenant', 't', 'createdAt', now, 'seq', 2, 'plan', plan,
    's0', 1, 's0.open', total, 's0.ok', 0, 's0.failed', 0, 's0.needs', 0)
end
for i = 1, n do
  local job = '0.' .. (first + i - 1)
  local member = seq8(seq + i) .. id .. '.' .. job
  call('HSET', key, job .. '.status', QUEUED, job .. '.class', class, job .. '.score', jobs[2 * i - 1],
    job .. '.member', member, job .. '.cost', cost, job .. '.queuedAt', now, job .. '.input', jobs[2 * i])
  enqueue(class, jobs[2 * i - 1], member)
end
flushQueue()
return pack({ n })
