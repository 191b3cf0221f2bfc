/** The one JSON file: what may stand in it, and what is wrong with it. */
export * from "./config/model.ts";
export { Tag, type TagHome, type TagSpec } from "./config/tag.ts";
export { diffGateways, type Difference } from "./config/diff.ts";
export { load, type Loaded, type LoadOptions } from "./config/load.ts";
export { allowsText } from "./config/allowed-texts.ts";
export { fromNeuron } from "./config/neuron.ts";
export { tagCsv, tagLines } from "./config/tag-table.ts";
export {
  jsonSchema, policyJsonSchema, type Components, type LinkUse, type UseProblem,
} from "./config/schema.ts";
export { JsonText, tooDeep } from "./config/jsonc.ts";
export { problemAt, problemText, type Hint, type Path } from "./config/problem.ts";
export { durationText, secretText, typeText } from "./config/fields.ts";
export { overlayLinks, readSimLinks, type SimLinks } from "./config/link-overlay.ts";
export { profileNames, findProfile } from "./config/profiles.ts";
