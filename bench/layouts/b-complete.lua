-- Layout B, complete. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local out, gone, ids, recs = {}, {}, {}, {}
for i, it in ipairs(batch) do
  local id = sub(it[1], 1, ID)
  if not recs[id] then recs[id] = true; ids[#ids + 1] = id end
end
local raw = readAll(ids, ids, 1)
for i, id in ipairs(ids) do recs[id] = raw[i] and unpk(raw[i]) end
for i, it in ipairs(batch) do
  local id, step, slot = split(it[1])
  local rec = recs[id]
  local job = rec and rec[9][step + 1][slot + 1]
  if job and job[1] == RUNNING and job[8] == it[2] then
    local s, ev = rec[8][step + 1], rec[10]
    job[1], job[15], job[17] = DONE, now, it[3]
    s[2], s[3] = s[2] - 1, s[3] + 1
    if s[2] == 0 then
      s[1], rec[3], rec[1] = DONE, DONE, rec[1] + 1
      ev[#ev + 1] = { rec[6], now, 4, step, slot, 5, step, 0, 6, 0, 0 }
      rec[6] = rec[6] + 3
    else
      ev[#ev + 1] = { rec[6], now, 4, step, slot }
      rec[6] = rec[6] + 1
    end
    gone[#gone + 1] = it[1]
    out[i] = 1
  else
    out[i] = 0
  end
end
local sets = {}
for i, id in ipairs(ids) do sets[2 * i - 1], sets[2 * i] = id, pack(recs[id]) end
writeAll(ids, sets, 1)
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
