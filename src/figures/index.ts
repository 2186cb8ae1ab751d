export { type HeatMap, heatLegend, heatMap } from "./heat-map.js";
export { type LineChart, lineChart, type Series } from "./line-chart.js";
export { type Part, page } from "./page.js";
