"""Renders conversations by chat templates with transformers, which is Jinja2: is the text Secateur's?

    python templates_judge.py QUESTIONS.json VERDICTS.json
"""
from transformers.utils.chat_template_utils import render_jinja_template

from common import run


def render(question):
    """None where the template refuses the conversation."""
    with open(question["template"], encoding="utf-8") as file:
        template = file.read()
    try:
        texts, _ = render_jinja_template(
            conversations=[question["messages"]],
            chat_template=template,
            tools=question["tools"],
            add_generation_prompt=question["addGenerationPrompt"],
            **question["special"],
        )
    except Exception:
        return None
    return texts[0]


def judge(question):
    theirs, ours = render(question), question["text"]
    if theirs != ours:
        print(f"{question['model']}, {question['what']}: transformers {theirs!r}, Secateur {ours!r}")
    return {"same": theirs == ours}


if __name__ == "__main__":
    run(judge, ["transformers", "jinja2"])
