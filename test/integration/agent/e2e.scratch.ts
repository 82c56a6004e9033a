import grpc from '@grpc/grpc-js';
import { spawn } from 'node:child_process';
import { createCoordinator } from '../../../coordinator/coordinator.ts';
import { createLogger } from '../../../runtime/log.ts';
import { makeClient, workflowService, operatorService } from '../../../proto/gen/load.ts';
import { clientOptions } from '../../../runtime/grpc-options.ts';
const dir='/tmp/e2e-agent-'+process.pid;
const c = createCoordinator({ listen:{port:0}, redis:{embedded:{folder:dir+'/redis'}}, dataDir:dir, log:createLogger({component:'coordinator',level:'warn'})});
await c.start();
const agent=spawn(process.execPath,['cli/dibs-agent.ts','start','--coordinator',String(c.address),'--state-dir',dir+'/a','--cache-dir',dir+'/c','--executor','test/integration/agent/fixtures/executors.ts'],{stdio:['ignore','inherit','inherit']});
const cred=grpc.credentials.createInsecure();
const wf=makeClient(workflowService,c.address,cred,clientOptions);
const op=makeClient(operatorService,c.address,cred,clientOptions);
const call=<T>(f:(cb:any)=>void)=>new Promise<T>((ok,bad)=>f((e:any,r:T)=>e?bad(e):ok(r)));
for(;;){ const a=(await call<any>(cb=>op.listAgents({},cb))).agents; if(a.length) break; await new Promise(r=>setTimeout(r,50)); }
const submit=(w:any)=>call<any>(cb=>wf.submitWorkflow({workflow:w},cb));
const get=(id:string)=>call<any>(cb=>wf.getWorkflow({workflowId:id,includeJobs:true,waitMs:20000},cb));
const show=(w:any)=>console.log(w.state,w.outcome?.reason,w.outcome?.message,JSON.stringify(w.steps.map((x:any)=>[x.name,x.state,x.outcome?.reason,x.jobsSucceeded,x.outputJson.slice(0,150)])));
try {
show((await get((await submit({name:'one',steps:[{type:'value.echo',inputJson:'{"a":1}'}]})).workflow.id)).workflow);
show((await get((await submit({name:'fan',steps:[{type:'value.echo',name:'big',inputJson:'{"v":{"$ref":"item"}}',forEach:{itemsJson:'2000'}}]})).workflow.id)).workflow);
show((await get((await submit({name:'text',steps:[{type:'text.count',name:'t',inputJson:'{"text":"a b a"}'}]})).workflow.id)).workflow);
show((await get((await submit({name:'crash',steps:[{type:'test.crash',name:'t',inputJson:'{}'}]})).workflow.id)).workflow);
const N=40000; 
for (let round=0; round<3; round++) { const t0=performance.now();
const st=wf.submitStream(); let res=0;
await new Promise<void>(ok=>{ st.on('data',(m:any)=>{res+=m.results.length; if(m.acks.some((a:any)=>a.error))console.log(m.acks.find((a:any)=>a.error)); if(res>=N)ok();}); st.on('error',(e:any)=>console.log('st',e.message));
 for(let i=0;i<N;i+=64) st.write({items:Array.from({length:Math.min(64,N-i)},(_,k)=>({requestId:'r'+t0+(i+k),wantResult:true,workflow:{steps:[{type:'value.echo',inputJson:JSON.stringify({p:'x'.repeat(50)})}]}}))});
});
console.log('stream',res,(N/(performance.now()-t0)*1000)|0,'/s'); st.end(); }
// drain with a running job
const held=(await submit({name:'hold',steps:[{type:'test.hold',name:'h',inputJson:JSON.stringify({until:dir+'/go'})}]})).workflow.id;
await new Promise(r=>setTimeout(r,1500));
agent.kill('SIGTERM'); await new Promise(r=>setTimeout(r,300));
(await import('node:fs')).writeFileSync(dir+'/go','');
show((await get(held)).workflow);
await new Promise(r=>agent.once('exit',(code)=>{console.log('agent exit',code);r(0)}));
} catch(e){console.log('FAILED',e); agent.kill('SIGKILL')}
await c.stop(); process.exit(0);
