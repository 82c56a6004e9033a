-- Layout C, complete. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local out, gone, ids, fields = {}, {}, {}, {}
for i, it in ipairs(batch) do
  local id = sub(it[1], 1, ID)
  ids[i] = id
  fields[2 * i - 1], fields[2 * i] = id, it[1]
end
local raw = readAll(ids, fields, 2)
local heads, entries, order = {}, {}, {}
for i, it in ipairs(batch) do
  local id, ref = ids[i], it[1]
  local job = raw[2 * i] and unpk(raw[2 * i])
  if job and job[1] == RUNNING and job[8] == it[2] then
    local head = heads[id]
    if not head then
      head = unpk(raw[2 * i - 1])
      heads[id], entries[id] = head, { head[6], now }
      order[#order + 1] = id
    end
    local step, e = job[2], entries[id]
    local s = head[7][step + 1]
    job[1], job[15], job[17] = DONE, now, it[3]
    s[2], s[3] = s[2] - 1, s[3] + 1
    local k = #e
    e[k + 1], e[k + 2], e[k + 3] = 4, step, job[3]
    head[6] = head[6] + 1
    if s[2] == 0 then
      s[1], head[3], head[1], head[6] = DONE, DONE, head[1] + 1, head[6] + 2
      e[k + 4], e[k + 5], e[k + 6], e[k + 7], e[k + 8], e[k + 9] = 5, step, 0, 6, 0, 0
    end
    writeLoose(id, ref, pack(job))
    gone[#gone + 1] = ref
    out[i] = 1
  else
    out[i] = 0
  end
end
for _, id in ipairs(order) do
  local head = heads[id]
  head[8] = head[8] .. pack(entries[id])
  writeLoose(id, id, pack(head))
end
flushLoose()
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
