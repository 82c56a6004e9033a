-- Layout C2, claim of single-job steps: head and plan are read, the head alone is written.
-- batch: [class, n, agent, random]  reply: [ref, token, plan, version, ...]
local class, n, agent, random = batch[1], batch[2], batch[3], batch[4]
local popped = call('ZPOPMIN', P .. ':q:' .. class, n)
local count = #popped / 2
if count == 0 then return pack({}) end
local fence = call('INCRBY', P .. ':fence', count) - count
local out, offers, ids, fields, refs = {}, {}, {}, {}, {}
for i = 1, count do
  local ref = sub(popped[2 * i - 1], 9)
  local id = sub(ref, 1, ID)
  ids[i], refs[i] = id, ref
  fields[2 * i - 1], fields[2 * i] = id, id .. 'p'
end
local raw = readAll(ids, fields, 2)
local heads, order = {}, {}
for i = 1, count do
  local id, step, slot = split(refs[i])
  local head = heads[id]
  if not head then
    head = unpk(raw[2 * i - 1])
    heads[id] = head
    order[#order + 1] = id
  end
  local job = head[7][step + 1][6]
  local token = (fence + i) .. '-' .. random
  job[1], job[8], job[9], job[10], job[14] = RUNNING, token, agent, job[10] + 1, now
  head[8] = head[8] .. pack({ head[6], now, 3, step, slot, agent })
  head[6] = head[6] + 1
  offers[2 * i - 1], offers[2 * i] = now + 15000, refs[i]
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = refs[i], token, raw[2 * i], head[1]
end
for _, id in ipairs(order) do writeLoose(id, id, pack(heads[id])) end
flushLoose()
call('ZADD', P .. ':offers', unpack(offers))
return pack(out)
