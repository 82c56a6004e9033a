-- Layout C, claim. batch: [class, n, agent, random]  reply: [ref, token, input, version, ...]
local class, n, agent, random = batch[1], batch[2], batch[3], batch[4]
local popped = call('ZPOPMIN', P .. ':q:' .. class, n)
local count = #popped / 2
if count == 0 then return pack({}) end
local fence = call('INCRBY', P .. ':fence', count) - count
local out, offers, ids, fields = {}, {}, {}, {}
for i = 1, count do
  local ref = sub(popped[2 * i - 1], 9)
  local id = sub(ref, 1, ID)
  ids[i] = id
  fields[2 * i - 1], fields[2 * i] = id, ref
end
local raw = readAll(ids, fields, 2)
local heads, entries, order = {}, {}, {}
for i = 1, count do
  local id, ref = ids[i], fields[2 * i]
  local head = heads[id]
  if not head then
    head = unpk(raw[2 * i - 1])
    heads[id], entries[id] = head, { head[6], now }
    order[#order + 1] = id
  end
  local job = unpk(raw[2 * i])
  local token = (fence + i) .. '-' .. random
  job[1], job[8], job[9], job[10], job[14] = RUNNING, token, agent, job[10] + 1, now
  local e = entries[id]
  local k = #e
  e[k + 1], e[k + 2], e[k + 3], e[k + 4] = 3, job[2], job[3], agent
  head[6] = head[6] + 1
  writeLoose(id, ref, pack(job))
  offers[2 * i - 1], offers[2 * i] = now + 15000, ref
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = ref, token, job[16], head[1]
end
for _, id in ipairs(order) do
  local head = heads[id]
  head[8] = head[8] .. pack(entries[id])
  writeLoose(id, id, pack(head))
end
flushLoose()
call('ZADD', P .. ':offers', unpack(offers))
return pack(out)
