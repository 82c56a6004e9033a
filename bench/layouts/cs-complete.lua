-- Layout CS, complete. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local spack, sunpack = struct.pack, struct.unpack
local out, gone, ids, fields = {}, {}, {}, {}
for i, it in ipairs(batch) do
  local id = sub(it[1], 1, ID)
  ids[i] = id
  fields[2 * i - 1], fields[2 * i] = id, it[1]
end
local raw = readAll(ids, fields, 2)
local heads = {}
for i, it in ipairs(batch) do
  local id, ref, job = ids[i], it[1], raw[2 * i]
  out[i] = 0
  if job then
    local status, _, _, _, _, _, _, token = sunpack('>BHHHI6I6I6Bc0', job)
    if status == RUNNING and token == it[2] then
      local head = heads[id] or raw[2 * i - 1]
      local _, step, slot = split(ref)
      local at = 22 + 15 * step
      local version, facts, seq, wstatus, created, steps = sunpack('>I4I4I4BI6H', head)
      local sstatus, open, ok = sunpack('>BI4I4', head, at)
      local entry, added
      if open == 1 then
        entry, added = pack({ seq, now, 4, step, slot, 5, step, 0, 6, 0, 0 }), 3
        version, wstatus, sstatus = version + 1, DONE, DONE
      else
        entry, added = pack({ seq, now, 4, step, slot }), 1
      end
      heads[id] = spack('>I4I4I4BI6H', version, facts, seq + added, wstatus, created, steps) .. sub(head, 22, at - 1)
        .. spack('>BI4I4', sstatus, open - 1, ok + 1) .. sub(head, at + 9) .. entry
      writeLoose(id, ref, spack('>B', DONE) .. sub(job, 2, 19) .. spack('>I6', now) .. sub(job, 26) .. pack(it[3]))
      gone[#gone + 1] = ref
      out[i] = 1
    end
  end
end
for id, head in pairs(heads) do writeLoose(id, id, head) end
flushLoose()
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
