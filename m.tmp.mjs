import { AutoModelForCausalLM, createTrainingSession, getPeftModel, LoraConfig, platform } from "graft-peft";
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("/work/shared/assets/models/gpt2-char-shakespeare",{threads:1,onReport(){}}), new LoraConfig({r:4,targetModules:["c_attn"]}),{onWarning(){}});
const session = createTrainingSession(model);
const rows = Array.from({ length: +process.argv[2] }, () => Array.from({ length: 128 }, (_, at) => 1 + at%50));
for (let step = 0; step < 3; step++) { await session.forwardBackward({ inputIds: rows, attentionMask: rows.map((row) => row.map(() => 1)), labels: rows }); await session.optimizerStep({ learningRate: 1e-3 }); }
console.log(process.argv[2], platform.memoryUsage().peakRss/1e6); await model.dispose();
