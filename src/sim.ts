/**
 * The simulator: answers the devices of a configuration with the drivers' own `serve`. All of it is
 * pure but `startSim`, which has the sockets, ptys and files.
 */
export type { Behaviour } from "./sim/behaviour.ts";
export { commandHelp } from "./sim/command.ts";
export { startSim, type Sim, type SimLinks, type SimOptions } from "./sim/host.ts";
export type { FrameRecord, LinkOut, SimLink } from "./sim/link.ts";
export { readPlant, type PlantFile } from "./sim/plant-file.ts";
export { Plant } from "./sim/plant.ts";
export { simulated, Simulation } from "./sim/simulation.ts";
