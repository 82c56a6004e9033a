-- Layout A, complete. item: [ref, token, result]  reply: [1 done | 0 fence lost, ...]
local out, gone = {}, {}
for i, it in ipairs(batch) do
  local ref = it[1]
  local id, step, slot = split(ref)
  local key, job, s = P .. ':w:' .. id, step .. '.' .. slot, 's' .. step
  local w = call('HMGET', key, job .. '.token', job .. '.status', s .. '.open', 'seq', 'version')
  if w[1] == it[2] and tonumber(w[2]) == RUNNING then
    local open, seq = tonumber(w[3]) - 1, tonumber(w[4])
    call('HINCRBY', key, s .. '.ok', 1)
    if open == 0 then
      call('HSET', key, job .. '.status', DONE, job .. '.doneAt', now, job .. '.result', it[3], s .. '.open', open,
        s, DONE, 'status', DONE, 'version', w[5] + 1, 'seq', seq + 3)
      call('RPUSH', P .. ':e:' .. id, pack({ seq, now, 4, step, slot, 5, step, 0, 6, 0, 0 }))
    else
      call('HSET', key, job .. '.status', DONE, job .. '.doneAt', now, job .. '.result', it[3], s .. '.open', open,
        'seq', seq + 1)
      call('RPUSH', P .. ':e:' .. id, pack({ seq, now, 4, step, slot }))
    end
    gone[#gone + 1] = ref
    out[i] = 1
  else
    out[i] = 0
  end
end
if #gone > 0 then call('ZREM', P .. ':offers', unpack(gone)) end
return pack(out)
