/** The part of Hugging Face's own client that writes to the Hub. */
export { commit, createBranch, createRepo, HubApiError, whoAmI } from "@huggingface/hub";
