"""Writes test/golden/data/chat/: what transformers makes of chats under the templates of chat_templates.py.

    python reference/make_chat_golden.py

texts.json: each template over chats, tools and options, with the text that `apply_chat_template` gives or the message of
its error. tokens.json: ids and masks of the assistant's tokens with three tokenizers that are trained here on a few
sentences: byte-level BPE, BPE with a space put before the text and bytes for what it does not know, and lower-case WordPiece.
"""

import argparse
import json
import warnings
from pathlib import Path

from chat_templates import TEMPLATES
from method_golden import made_by
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<pad>"]
SENTENCES = [
    "Hello, how are you today?",
    "I am fine, thank you. And you?",
    "What is the capital of France? The capital of France is Paris.",
    "user: assistant: system: You are a helper that answers in short sentences.\nAnswer: It is blue.\n",
    "Tell me a story about a small cat who lived near the river.",
]

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place, e.g. \"Zürich\" <now> & later",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["place"],
        },
    },
}

SHORT = [{"role": "user", "content": "Hello"}]
PAIR = [{"role": "user", "content": " What is 2+2? "}, {"role": "assistant", "content": "4. It's \"four\"\n"}]
LONG = [
    {"role": "system", "content": "You are brief.\n"},
    {"role": "user", "content": "Héllo 🙂"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Tell me more"},
    {"role": "assistant", "content": "  There is not much to tell.  "},
]
THINK = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\n2"},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "<think>\nEasy, too.\n</think>\n\n4"},
]
REASONED = [*SHORT, {"role": "assistant", "reasoning_content": "\nGreet.\n", "content": "\nHi"}]
TOOLS = [
    {"role": "user", "content": "Weather in Zürich and Rome?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"type": "function", "function": {"name": "weather", "arguments": {"place": "Zürich", "days": 2, "near": 0.5}}}
        ],
    },
    {"role": "tool", "content": "{\"t\": 20}"},
    {"role": "tool", "content": "21"},
    {"role": "assistant", "content": "20 and 21 degrees."},
]
PARTS = [{"role": "user", "content": "List"}, {"role": "ipython", "content": [{"a": 1}, "b"]}]
TWO_USERS = [*SHORT, *SHORT]

CHATS = {
    "short": SHORT, "pair": PAIR, "long": LONG, "think": THINK, "reasoned": REASONED, "tools": TOOLS, "parts": PARTS,
    "two_users": TWO_USERS,
}
DATE = "01 Dec 2026"
DATA = {
    "b": 1, "a": "ü<&>\"\\\n\u2028", "nested": {"z": [], "y": {}, "x": [1, [2, 3]]}, "float": 1.5, "small": 1e-7,
    "large": 1.2345e22, "true": True, "none": None, "\u00e9": "\u007f\u0001",
}

# Template, chat, options of the call, variables of the template.
CASES = [
    *[(name, chat, {"add_generation_prompt": prompt}, {})
      for name in ["chatml", "smollm2", "mistral", "gemma", "zephyr", "qwen2.5", "qwen3", "llama3", "generation", "generation_plain"]
      for chat in ["short", "pair", "long", "two_users"]
      for prompt in [False, True]],
    *[(name, chat, {}, {}) for name in ["llama3", "qwen2.5"] for chat in ["tools", "parts"]],
    ("llama3", "long", {"tools": [TOOL]}, {}),
    ("llama3", "tools", {"tools": [TOOL, TOOL]}, {"date_string": "1 May 2024"}),
    ("qwen2.5", "tools", {"tools": [TOOL]}, {}),
    ("qwen2.5", "long", {"tools": [TOOL], "add_generation_prompt": True}, {}),
    *[("qwen3", chat, {}, {}) for chat in ["think", "reasoned"]],
    ("qwen3", "short", {"add_generation_prompt": True}, {"enable_thinking": False}),
    ("qwen3", "short", {"add_generation_prompt": True}, {"enable_thinking": True}),
    *[(name, chat, {"continue_final_message": True}, {})
      for name in ["chatml", "llama3", "gemma", "qwen2.5"] for chat in ["pair", "long"]],
    ("python", "long", {}, {"data": DATA}),
]


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*SPECIAL, *bytes_], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    # Bytes are no tokens that stand in texts.
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))


def lower() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> PreTrainedTokenizerFast:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False) + "\n")
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    config = {**names, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return PreTrainedTokenizerFast.from_pretrained(folder)


def answer(tokenizer: PreTrainedTokenizerFast, template: str, chat: str, options: dict, variables: dict) -> dict:
    fixed = {"strftime_now": lambda _: DATE}
    try:
        return {"text": tokenizer.apply_chat_template(
            CHATS[chat], chat_template=TEMPLATES[template], tokenize=False, **options, **fixed, **variables)}
    except Exception as error:  # noqa: BLE001 - whatever a template or its caller raises is the answer
        return {"error": str(error)}


def mask_case(tokenizer: PreTrainedTokenizerFast, template: str, chat: list[dict]) -> dict:
    """Ids, and 1 for tokens that overlap with a generated span.

    That is transformers' mask but for spans that begin with a blank of which no token is made: there transformers marks
    nothing from that span on.
    """
    (text,), (spans,) = render_jinja_template(
        [chat], chat_template=template, return_assistant_tokens_mask=True, **tokenizer.special_tokens_map)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [int(any(start < end_ and end > start_ for start_, end_ in spans)) for start, end in encoded["offset_mapping"]]
    theirs = tokenizer.apply_chat_template(
        chat, chat_template=template, return_assistant_tokens_mask=True, return_dict=True)
    assert theirs["input_ids"] == encoded["input_ids"]
    if all(encoded.char_to_token(start) is not None for start, _ in spans):
        assert theirs["assistant_masks"] == mask, (text, theirs["assistant_masks"], mask)
    return {"inputIds": encoded["input_ids"], "assistantMasks": mask}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/data/chat"))
    out = parser.parse_args().out
    warnings.filterwarnings("ignore")
    makers = {"bytes": byte_level, "pieces": pieces, "lower": lower}
    tokenizers = {name: save_tokenizer(make(), out / name) for name, make in makers.items()}
    texts = [
        {"template": template, "chat": chat, "options": options, "variables": variables,
         **answer(tokenizers["bytes"], template, chat, options, variables)}
        for template, chat, options, variables in CASES
    ]
    header = {"made_by": made_by(Path(__file__)), "date": DATE}
    (out / "texts.json").write_text(
        json.dumps({**header, "templates": TEMPLATES, "chats": CHATS, "cases": texts}, ensure_ascii=False, indent=1) + "\n")
    masks = []
    for name, tokenizer in tokenizers.items():
        for template in ["generation", "generation_plain"]:
            for chat in ["pair", "long", "think", "short"]:
                masks.append({"tokenizer": name, "template": template, "chat": chat,
                              **mask_case(tokenizer, TEMPLATES[template], CHATS[chat])})
    (out / "tokens.json").write_text(json.dumps({**header, "cases": masks}, ensure_ascii=False) + "\n")
    print(f"{len(texts)} texts ({sum('error' in one for one in texts)} refused), {len(masks)} masks")


if __name__ == "__main__":
    main()
