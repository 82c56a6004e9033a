-- Layout C, submit: head, plan and job are three fields of the workflow's hash.
-- head: [version, facts, status, tenant, createdAt, seq, steps[[status, open, ok, failed, needs]], events blob]
-- job: [status, step, slot, class, score, member, cost, token, agent, claims, recoveries, attempt, queuedAt, startedAt, doneAt,
--       input, result, reason, message, progress]
-- item: [id, tenant, plan, class, score, cost, input]  reply: [1 created | 0 known, ...]
local out, index, ids, sets = {}, {}, {}, {}
local seq = call('INCRBY', P .. ':seq', #batch) - #batch
for i, it in ipairs(batch) do ids[i] = it[1] end
local known = readAll(ids, ids, 1)
for i, it in ipairs(batch) do
  local id = it[1]
  if known[i] then
    out[i] = 0
  else
    local ref = id .. '.0.0'
    local member = seq8(seq + i) .. ref
    local o = #sets
    sets[o + 1] = id
    sets[o + 2] = pack({ 1, 0, QUEUED, it[2], now, 3, { { QUEUED, 1, 0, 0, 0 } }, pack({ 1, now, 1, 0, 0, 2, 0, 0 }) })
    sets[o + 3] = id .. 'p'
    sets[o + 4] = it[3]
    sets[o + 5] = ref
    sets[o + 6] = pack({ QUEUED, 0, 0, it[4], it[5], member, it[6], '', '', 0, 0, 1, now, 0, 0, it[7], '', '', '', 0 })
    enqueue(it[4], it[5], member)
    index[#index + 1] = id
    out[i] = 1
  end
end
writeAll(index, sets, 3)
flushQueue()
if #index > 0 then call('RPUSH', P .. ':ix', unpack(index)) end
return pack(out)
