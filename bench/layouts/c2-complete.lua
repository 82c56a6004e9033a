-- Layout C2, complete of single-job steps. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local out, gone, ids, heads = {}, {}, {}, {}
for i, it in ipairs(batch) do
  local id = sub(it[1], 1, ID)
  if not heads[id] then heads[id] = true; ids[#ids + 1] = id end
end
local raw = readAll(ids, ids, 1)
for i, id in ipairs(ids) do heads[id] = raw[i] and unpk(raw[i]) end
for i, it in ipairs(batch) do
  local id, step, slot = split(it[1])
  local head = heads[id]
  local s = head and head[7][step + 1]
  local job = s and s[6]
  if job and job[1] == RUNNING and job[8] == it[2] then
    job[1], job[15], job[17] = DONE, now, it[3]
    s[1], s[2], s[3], head[3], head[1] = DONE, s[2] - 1, s[3] + 1, DONE, head[1] + 1
    head[8] = head[8] .. pack({ head[6], now, 4, step, slot, 5, step, 0, 6, 0, 0 })
    head[6] = head[6] + 3
    gone[#gone + 1] = it[1]
    out[i] = 1
  else
    out[i] = 0
  end
end
for _, id in ipairs(ids) do if heads[id] then writeLoose(id, id, pack(heads[id])) end end
flushLoose()
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
