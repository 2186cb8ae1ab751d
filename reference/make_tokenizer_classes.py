"""Writes src/data/tokenizing/classes/class-table.ts: transformers' tokenizer classes, and which one a model type takes."""

import inspect
import json
from pathlib import Path

from transformers import PreTrainedTokenizerBase
from transformers.models.auto import tokenization_auto as auto
from transformers.tokenization_utils_tokenizers import TokenizersBackend

TARGET = Path(__file__).parent.parent / "src/data/tokenizing/classes/class-table.ts"
# Names that published folders have and the mapping of model types has not.
MORE = ["BartTokenizer", "BloomTokenizer", "CodeGenTokenizer", "ConvBertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "LayoutLMTokenizer"]
MORE += ["LongformerTokenizer", "LEDTokenizer", "LlamaTokenizer", "MPNetTokenizer", "MobileBertTokenizer", "SqueezeBertTokenizer", "XLNetTokenizer"]
# The constructors that src/data/tokenizing/classes/ knows.
KNOWN = ["BertTokenizer", "RobertaTokenizer", "GPT2Tokenizer", "DebertaTokenizer", "DebertaV2Tokenizer", "MPNetTokenizer", "XLMRobertaTokenizer"]
KNOWN += ["AlbertTokenizer", "CamembertTokenizer", "T5Tokenizer", "LlamaTokenizer", "GemmaTokenizer", "Qwen2Tokenizer", "GPTNeoXTokenizer"]
INPUTS = {"input_ids": "inputIds", "attention_mask": "attentionMask", "token_type_ids": "tokenTypeIds"}


def tokens(cls):
    """Defaults of the special tokens, nearest constructor first."""
    out = {}
    for base in reversed(cls.__mro__):
        if "__init__" in base.__dict__ and base is not object:
            for name, parameter in inspect.signature(base.__init__).parameters.items():
                if name in PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES and parameter.default is not inspect.Parameter.empty:
                    out[name] = None if parameter.default is None else str(parameter.default)
    order = [n for n in PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES if out.get(n) is not None]
    return {n: out[n] for n in order}


mapping = {k: v for k, v in auto.TOKENIZER_MAPPING_NAMES.items() if v}
classes, python, others, aliases = {}, [], [], {}
for name in sorted({v.removesuffix("Fast") for v in mapping.values()} | set(MORE)):
    cls = auto.tokenizer_class_from_name(name)
    if cls is None or cls is TokenizersBackend:
        continue
    if not (isinstance(cls, type) and issubclass(cls, TokenizersBackend)):
        python.append(name)
        continue
    if cls.__name__ != name:
        aliases[name] = cls.__name__
    name = cls.__name__
    maker = next(c.__name__ for c in cls.__mro__ if "__init__" in c.__dict__ and c.__name__ in [*KNOWN, "TokenizersBackend"])
    own = "__init__" in cls.__dict__
    if maker == "TokenizersBackend" and any("__init__" in c.__dict__ for c in cls.__mro__[: cls.__mro__.index(TokenizersBackend)]):
        others.append(name)
        continue
    classes[name] = {
        "maker": maker,
        "rebuilds": own,
        "inputs": [INPUTS[n] for n in cls.model_input_names],
        "paddingSide": cls.padding_side,
        "tokens": tokens(cls),
    }

plain = [n for n in mapping if auto.tokenizer_class_from_name(mapping[n]) is TokenizersBackend]
lines = [
    "/** transformers 5.18's tokenizer classes, made by reference/make_tokenizer_classes.py. */",
    "",
    "/**",
    " * Classes by name: whose constructor makes them, whether they are rebuilt from the vocabulary alone (so that the stages",
    " * of tokenizer.json do not count), the inputs of their models, and their special tokens.",
    " */",
    f"export const classTable = {json.dumps(classes)} as const;",
    "",
    "/** Other names of the same classes. */",
    f"export const classAliases: {{ readonly [name: string]: string }} = {json.dumps(aliases)};",
    "",
    "/** Classes of Python code, or with stages of their own, that are not read. */",
    f"export const classesNotRead: readonly string[] = {json.dumps(sorted(python + others))};",
    "",
    "/** The class of a model type; the others take tokenizer.json as it is. */",
    f"export const classOfModelType: {{ readonly [modelType: string]: string }} = {json.dumps({k: v for k, v in mapping.items() if k not in plain})};",
    "",
    "/** Model types that have a class of the library, which takes tokenizer.json as it is. */",
    f"export const plainModelTypes: readonly string[] = {json.dumps(plain)};",
    "",
    "/** Model types whose published tokenizer_config.json names a wrong class. */",
    f"export const wronglyPublished: readonly string[] = {json.dumps(sorted(auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS))};",
    "",
]
TARGET.write_text("\n".join(lines))
print(len(classes), "classes,", len(aliases), "aliases,", len(python) + len(others), "not read:", python + others)
