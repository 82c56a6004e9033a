-- Layout C2S, complete of a single-step workflow's job. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local spack, sunpack = struct.pack, struct.unpack
local out, gone, ids = {}, {}, {}
for i, it in ipairs(batch) do ids[i] = sub(it[1], 1, ID) end
local raw = readAll(ids, ids, 1)
local done = {}
for i, it in ipairs(batch) do
  local id, head = ids[i], raw[i]
  out[i] = 0
  if head and not done[id] then
    local status, _, _, _, _, _, _, token = sunpack('>BHHHI6I6I6Bc0', head, 37)
    if status == RUNNING and token == it[2] then
      local version, facts, seq, _, created, steps, _, open, ok = sunpack('>I4I4I4BI6HBI4I4', head)
      writeLoose(id, id, spack('>I4I4I4BI6HBI4I4', version + 1, facts, seq + 3, DONE, created, steps, DONE, open - 1, ok + 1)
        .. sub(head, 31, 36) .. spack('>B', DONE) .. sub(head, 38, 55) .. spack('>I6', now) .. sub(head, 62)
        .. pack({ seq, now, 4, 0, 0, 5, 0, 0, 6, 0, 0 }, it[3]))
      gone[#gone + 1] = it[1]
      done[id] = true
      out[i] = 1
    end
  end
end
flushLoose()
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
