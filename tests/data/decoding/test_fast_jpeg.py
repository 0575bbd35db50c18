"""JPEGs are decoded as TensorFlow decodes them, to the bit. What it gave is kept here, so that no test imports it."""

import base64
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.conversion import Conversion
from tellapart.data.decoding.decode import decode
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError

FAST = Conversion(fast_jpeg=True)
FILES = {
    "4:2:0": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
        "lFi6ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`"
        "F1uV`Klo01*fP6#yXv0U`hb5di}c0sq7R8UO(R0s{d60000000000000021OWvG1OLPTC=dVv1OWpA1qA>A00000000310s{"
        "mE5fV`p6$TR_Qeh$^Q*n|1!~huq00IL60000000000000001O)&A0t5fV03i_o0R#d81pxp6000000000100IL95g`%<6fr?"
        "kBLCU|3<CiG0ucid06zf5?-Tir(UFs{3N&pwj}~0Q0-=TsY?{p;;5iEYyp%Qps~lTCbXu4e7YL*BH@{1@TV?NbJ_!o8Pcm*>"
        "Y)xU%`f97>p>{qt$Oi4)C^~rY@@V#NcPnW^#91+<jT#PBS2kg2158258LK7+&$Z3>IX@G>h`T=3SK8D@_iX!D-9P0{rC5RVX"
        "kIyru|-+ZF@QUiM3#(>BxIrbm*UP_rK778Y%sb}xcsRT)1S5U{*e<&iQwR+cNcRdW38XwQ4uM?TVMa#",
        "0d3d71365525",
    ),
    "4:2:2": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
        "lFi6ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`"
        "F1uV`Klo01*fP6#yXv0U-ba5di}c0sq7R82|tR0|5X40000000000000C9009C6|HJ?&5C8!L0RsXB1poj500000009630|W"
        "&T5>XTt1`{DtVIm__agqPT02l!P0|5a50000000000000021O)*D|HJ?z5dZ-M0RsgA0RR910000000IC30|XHg6Hx^eAu&M"
        "}GXL5D3<CiG0ucid06ze$-Y4@Lqa!C?7HHaY9xS<p1=dQ<TUlrNY$_2<%m<DT**wX)ZLu|nL+Pp?B@40fwm>&-;RP$bxC|Vq"
        ")yGL|f2n74lkq$FqNm(H3H{bhaKVj}S)<$sAs=rg4S;IL7SEj&n>6H<{1>k&N+$iw#z|YJj~^zFX7_TMP_Y(FX(L91m7!B<n"
        "!zLL0hw?g5&f#KwW==PqaO(!v*m83Sb_9tTyqs-inF9+0Cy=0QyIUP_K&DO)vSs~RwmeCbfa<kS|_JJYw7(eQxolw{96IJ>v"
        "vVw&+jTI`dJoN|Je",
        "be78eb3cc0b0",
    ),
    "4:4:4": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
        "lFi6ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`"
        "F1uV`Klo01*fP6#yXv0TBQK5di}c0sq7R7ytkR0RaF20000000000000661px#9!~iG|009F70tEyE00000000000RjUA00j"
        "{eQ4|#+Qeg%YA|q3Ak^jU1836zT0RaI30000000000000971p)yE|HJ?#5dZ=L0s#UB0{{R300000009C30|XHv1rrh!6(TW"
        "FBQin%+5ij#0RRFK0}%i}0Lk8`_Y;IRPIjYYbg=&b*vPaj7&4TFi7G(?xsuAb-H>DV-K>3xwa)TpOG`;X!ReYu0md@y&n#&-"
        "H;l#ZOsd}6Tmx3Es;xa+%y0yuONAPfIh&t}U&?39AE<ulm2ANYb1yfj4aFsqRf;%i8un`bWAg4y$ObEIX!DAkdTp!uOKeNMJ"
        ";ka687)t@Z*vPqwQokR0k0bdZ!{%-)s-MfYUVKFMh5g{rEtDv0ZW6u$N5xV)Ykn*zp1X<{lkeBpn4=!I<jnY$&~t~Y8G+4MQ"
        "NzYaR>oh)tW43_LIbcP0o$Mkm9tN2r6`HK53%G4wfD6cCc*1Cx<^*$Ms8Q62qBE{{T@ljeoq<&j^6r|Je",
        "c1c8b96aa236",
    ),
    "grey": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
        "lFi6ad~iLcwA*?WB<Sa3kU!e03iVZ5di<h02lxO0|5a50000000000000021O)*D|HJ?&5C8!K0|EsE0{{R300000009C61O"
        "NpQ5>XTtAyQ!m6Cxv1agqPp00;pA002J#$=;{;6NENScA<kQNLZ4j5GiY&<jj_ql7oZOG`-1{TiZ*3YSpz&=5Br^e=4n*Aue"
        "U+^#Qo2<=mN&3|89F=M^naw{LR`MzwEMAV_NFFyclA^#1@Vi`tqvky;0$MRB}EX{gF^2mxEvIISi^3Y{8{nj&~}^?ZL-oNN8"
        "&zyH|",
        "013cb12bdb58",
    ),
}
"""JPEGs of 33 x 21 pixels by how their colours are stored, and the SHA-256 of `tf.image.decode_image`'s pixels."""


def content(name: str) -> bytes:
    return base64.b85decode(FILES[name][0])


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_of_tensorflow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = decode(content(name), conversion=FAST)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:12] == FILES[name][1]
    monkeypatch.setattr("tellapart.data.decoding.pixel_rows.STRIP_PIXELS", 33 * 3)  # in several strips
    np.testing.assert_array_equal(decode(content(name), conversion=FAST), image)


def test_they_differ_little_from_the_accurate_ones() -> None:
    fast, accurate = decode(content("4:2:0"), conversion=FAST), decode(content("4:2:0"))
    assert 0 < np.abs(fast.astype(int) - accurate).max() <= 8


def test_only_bilinear_networks_of_keras_are_shown_them() -> None:
    """`load_img` reads by Pillow, as everything else here does."""
    assert Preprocessing(4, 4, 3, "stretch", "keras-bilinear").conversion.fast_jpeg
    assert not Preprocessing(4, 4, 3, "stretch", "keras-nearest").conversion.fast_jpeg
    assert not Preprocessing(4, 4, 3).conversion.fast_jpeg


@pytest.mark.parametrize(("mode", "size"), [("CMYK", (20, 20)), ("RGB", (2, 20))])
def test_what_is_stored_in_another_way_is_decoded_as_usual(mode: str, size: tuple[int, int]) -> None:
    stream = io.BytesIO()
    Image.new(mode, size, (9, 80, 70, 60)[: len(mode)]).save(stream, "JPEG")
    np.testing.assert_array_equal(decode(stream.getvalue(), conversion=FAST), decode(stream.getvalue()))


def test_a_broken_file_is_refused_as_usual() -> None:
    with pytest.raises(ImageError):
        decode(content("4:2:0")[:-60], conversion=FAST)
