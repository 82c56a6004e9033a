-- Layout CS, submit: layout C with no Lua pack/unpack of records: a struct-packed front that scripts edit, an opaque tail they copy.
-- head: '>I4I4I4BI6H' version facts seq status createdAt steps, per step '>BI4I4I4H', 'Bc0' tenant, then event entries to the end
-- job: '>BHHHI6I6I6Bc0Bc0' status claims recoveries attempt queuedAt startedAt doneAt token agent, then msgpack values to the end:
--      [class, score, member, cost, input] and, when done, the result
-- item: [id, tenant, plan, class, score, cost, input]  reply: [1 created | 0 known, ...]
local spack = struct.pack
local out, index, ids, sets = {}, {}, {}, {}
local seq = call('INCRBY', P .. ':seq', #batch) - #batch
for i, it in ipairs(batch) do ids[i] = it[1] end
local known = readAll(ids, ids, 1)
local created = pack({ 1, now, 1, 0, 0, 2, 0, 0 })
for i, it in ipairs(batch) do
  local id = it[1]
  if known[i] then
    out[i] = 0
  else
    local ref = id .. '.0.0'
    local member = seq8(seq + i) .. ref
    local o = #sets
    sets[o + 1] = id
    sets[o + 2] = spack('>I4I4I4BI6HBI4I4I4HBc0', 1, 0, 3, QUEUED, now, 1, QUEUED, 1, 0, 0, 0, #it[2], it[2]) .. created
    sets[o + 3] = id .. 'p'
    sets[o + 4] = it[3]
    sets[o + 5] = ref
    sets[o + 6] = spack('>BHHHI6I6I6BB', QUEUED, 0, 0, 1, now, 0, 0, 0, 0) .. pack({ it[4], it[5], member, it[6], it[7] })
    enqueue(it[4], it[5], member)
    index[#index + 1] = id
    out[i] = 1
  end
end
writeAll(index, sets, 3)
flushQueue()
if #index > 0 then call('RPUSH', P .. ':ix', unpack(index)) end
return pack(out)
