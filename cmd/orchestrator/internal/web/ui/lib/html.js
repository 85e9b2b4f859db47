// Preact and htm in one place, so that every other file imports from here.
import { h, render, Component, Fragment, createContext } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);
export { h, render, Component, Fragment, createContext };
export * from "../vendor/hooks.mjs";
