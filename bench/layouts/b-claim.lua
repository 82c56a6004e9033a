-- Layout B, claim. batch: [class, n, agent, random]  reply: [ref, token, input (or plan), version, ...]
local class, n, agent, random = batch[1], batch[2], batch[3], batch[4]
local popped = call('ZPOPMIN', P .. ':q:' .. class, n)
local count = #popped / 2
local fence = call('INCRBY', P .. ':fence', count) - count
local out, offers, refs, ids, seen = {}, {}, {}, {}, {}
for i = 1, count do
  local ref = sub(popped[2 * i - 1], 9)
  local id = sub(ref, 1, ID)
  refs[i] = ref
  if not seen[id] then seen[id] = true; ids[#ids + 1] = id end
end
local recs, raw = {}, count > 0 and readAll(ids, ids, 1)
for i, id in ipairs(ids) do recs[id] = unpk(raw[i]) end
for i = 1, count do
  local id, step, slot = split(refs[i])
  local rec = recs[id]
  local job = rec[9][step + 1][slot + 1]
  local token = (fence + i) .. '-' .. random
  job[1], job[8], job[9], job[10], job[14] = RUNNING, token, agent, job[10] + 1, now
  local ev = rec[10]
  ev[#ev + 1] = { rec[6], now, 3, step, slot, agent }
  rec[6] = rec[6] + 1
  offers[2 * i - 1], offers[2 * i] = now + 15000, refs[i]
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = refs[i], token, job[16] ~= '' and job[16] or rec[7], rec[1]
end
local sets = {}
for i, id in ipairs(ids) do sets[2 * i - 1], sets[2 * i] = id, pack(recs[id]) end
writeAll(ids, sets, 1)
if count > 0 then call('ZADD', P .. ':offers', unpack(offers)) end
return pack(out)
