-- Layout C2S, claim of a single-step workflow's job. batch: [class, n, agent, random]  reply: [ref, token, plan, version, ...]
local spack, sunpack = struct.pack, struct.unpack
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
  offers[2 * i - 1], offers[2 * i] = now + 15000, ref
  fields[2 * i - 1], fields[2 * i] = id, id .. 'p'
end
local raw = readAll(ids, fields, 2)
for i = 1, count do
  local head = raw[2 * i - 1]
  local version, _, seq = sunpack('>I4I4I4', head)
  local _, claims, recoveries, attempt, queuedAt = sunpack('>BHHHI6', head, 37)
  local token = (fence + i) .. '-' .. random
  writeLoose(ids[i], ids[i], sub(head, 1, 8) .. spack('>I4', seq + 1) .. sub(head, 13, 36)
    .. spack('>BHHHI6I6I6Bc0Bc0', RUNNING, claims + 1, recoveries, attempt, queuedAt, now, 0, #token, token, #agent, agent)
    .. sub(head, 64) .. pack({ seq, now, 3, 0, 0, agent }))
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = offers[2 * i], token, raw[2 * i], version
end
flushLoose()
call('ZADD', P .. ':offers', unpack(offers))
return pack(out)
