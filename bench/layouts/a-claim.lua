-- Layout A, claim. batch: [class, n, agent, random]  reply: [ref, token, plan, version, ...]
local class, n, agent, random = batch[1], batch[2], batch[3], batch[4]
local popped = call('ZPOPMIN', P .. ':q:' .. class, n)
local count = #popped / 2
local fence = call('INCRBY', P .. ':fence', count) - count
local out, offers = {}, {}
for i = 1, count do
  local ref = sub(popped[2 * i - 1], 9)
  local id, step, slot = split(ref)
  local key, job = P .. ':w:' .. id, step .. '.' .. slot
  local token = (fence + i) .. '-' .. random
  local w = call('HMGET', key, 'plan', 'version', job .. '.input')
  local seq = call('HINCRBY', key, 'seq', 1)
  call('HSET', key, job .. '.status', RUNNING, job .. '.token', token, job .. '.agent', agent,
    job .. '.claims', 1, job .. '.startedAt', now)
  call('RPUSH', P .. ':e:' .. id, pack({ seq - 1, now, 3, step, slot, agent }))
  offers[2 * i - 1], offers[2 * i] = now + 15000, ref
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = ref, token, w[3] or w[1], tonumber(w[2])
end
if count > 0 then call('ZADD', P .. ':offers', unpack(offers)) end
return pack(out)
