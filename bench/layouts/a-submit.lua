-- Layout A, submit: a HASH per workflow holding its fields and its jobs' fields, a LIST of events.
-- item: [id, tenant, plan, class, score, cost]  reply: [1 created | 0 known, ...]
local out, index = {}, {}
local seq = call('INCRBY', P .. ':seq', #batch) - #batch
for i, it in ipairs(batch) do
  local id = it[1]
  local key = P .. ':w:' .. id
  if call('HSETNX', key, 'status', QUEUED) == 1 then
    local ref = id .. '.0.0'
    local member = seq8(seq + i) .. ref
    call('HSET', key, 'version', 1, 'facts', 0, 'tenant', it[2], 'createdAt', now, 'seq', 3, 'plan', it[3],
      's0', 1, 's0.open', 1, 's0.ok', 0, 's0.failed', 0, 's0.needs', 0,
      '0.0.status', QUEUED, '0.0.class', it[4], '0.0.score', it[5], '0.0.member', member, '0.0.cost', it[6],
      '0.0.queuedAt', now)
    call('RPUSH', P .. ':e:' .. id, pack({ 1, now, 1, 0, 0, 2, 0, 0 }))
    enqueue(it[4], it[5], member)
    index[#index + 1] = id
    out[i] = 1
  else
    out[i] = 0
  end
end
flushQueue()
if #index > 0 then call('RPUSH', P .. ':ix', unpack(index)) end
return pack(out)
