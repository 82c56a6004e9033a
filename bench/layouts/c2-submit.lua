-- Layout C2, submit: as C, but the record of a single-job step lies inside the head (steps[s][6]) and its input only in the plan.
-- item: [id, tenant, plan, class, score, cost]  reply: [1 created | 0 known, ...]
local out, index, ids, sets = {}, {}, {}, {}
local seq = call('INCRBY', P .. ':seq', #batch) - #batch
for i, it in ipairs(batch) do ids[i] = it[1] end
local known = readAll(ids, ids, 1)
for i, it in ipairs(batch) do
  local id = it[1]
  if known[i] then
    out[i] = 0
  else
    local member = seq8(seq + i) .. id .. '.0.0'
    local o = #sets
    sets[o + 1] = id
    sets[o + 2] = pack({ 1, 0, QUEUED, it[2], now, 3,
      { { QUEUED, 1, 0, 0, 0, { QUEUED, 0, 0, it[4], it[5], member, it[6], '', '', 0, 0, 1, now, 0, 0, '', '', '', '', 0 } } },
      pack({ 1, now, 1, 0, 0, 2, 0, 0 }) })
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
