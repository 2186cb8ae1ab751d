import { chromium } from "playwright-core";
const b = await chromium.launch({executablePath:"/usr/bin/chromium",args:["--no-sandbox"]});
const [,, html, out] = process.argv;
for (const [name,width,scheme] of [["desktop",1200,"light"],["phone",390,"dark"]]) {
  const p = await b.newPage({viewport:{width,height:900},colorScheme:scheme});
  await p.goto("file://"+html); 
  console.log(name, await p.evaluate(()=>[document.documentElement.scrollWidth,document.documentElement.clientWidth,document.documentElement.scrollHeight]));
  await p.screenshot({path:`${out}-${name}.png`,clip:{x:0,y:0,width,height:name=="desktop"?2600:3000},fullPage:true});
  await p.close();
}
await b.close();
