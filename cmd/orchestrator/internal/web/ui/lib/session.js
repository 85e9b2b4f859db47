// Who looks, and what they may do.
import { createContext, useContext } from "./html.js";
import { api, request } from "./api.js";

export const Session = createContext(null);
export const useSession = () => useContext(Session);

// mayOperate tells whether the buttons that change sweeps are shown.
export const mayOperate = (session) => session?.role === "operate" || session?.role === "admin";

export const loadSession = () => request(api("session"));
export const login = (token) => request(api("session"), { method: "POST", body: { token } });
export const logout = () => request(api("session"), { method: "DELETE" });
