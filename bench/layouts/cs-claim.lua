-- Layout CS, claim. batch: [class, n, agent, random]  reply: [ref, token, job tail, version, ...]
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
  fields[2 * i - 1], fields[2 * i] = id, ref
end
local raw = readAll(ids, fields, 2)
local heads = {}
for i = 1, count do
  local id, ref, job = ids[i], fields[2 * i], raw[2 * i]
  local head = heads[id] or raw[2 * i - 1]
  local _, step, slot = split(ref)
  local version, _, seq = sunpack('>I4I4I4', head)
  local _, claims, recoveries, attempt, queuedAt = sunpack('>BHHHI6', job)
  local token = (fence + i) .. '-' .. random
  local tail = sub(job, 28)
  heads[id] = sub(head, 1, 8) .. spack('>I4', seq + 1) .. sub(head, 13) .. pack({ seq, now, 3, step, slot, agent })
  writeLoose(id, ref, spack('>BHHHI6I6I6Bc0Bc0', RUNNING, claims + 1, recoveries, attempt, queuedAt, now, 0, #token, token,
    #agent, agent) .. tail)
  offers[2 * i - 1], offers[2 * i] = now + 15000, ref
  local o = 4 * i
  out[o - 3], out[o - 2], out[o - 1], out[o] = ref, token, tail, version
end
for id, head in pairs(heads) do writeLoose(id, id, head) end
flushLoose()
call('ZADD', P .. ':offers', unpack(offers))
return pack(out)
